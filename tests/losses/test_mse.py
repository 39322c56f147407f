"""Mean squared error."""

from __future__ import annotations

import numpy as np
import pytest
from gradients import assert_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from strategies.layers import generators

from kdq_ref.errors import DTypeError, ShapeError
from kdq_ref.losses import mse


@settings(max_examples=25)
@given(generators, st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_definition_and_gradient(rng, shape):
    """The mean over all elements of any shape."""
    pred, target = rng.standard_normal((2, *shape))
    loss, dpred = mse(pred, target)
    assert_allclose(loss, np.mean((pred - target) ** 2))
    assert_gradients(lambda: mse(pred, target)[0], {"pred": pred}, {"pred": dpred})


def test_float32_stays_float32():
    """The gradient has the prediction's dtype."""
    assert mse(np.ones(3, np.float32), np.zeros(3, np.float32))[1].dtype == np.float32


@pytest.mark.parametrize(
    ("pred", "target", "error"),
    [
        (np.zeros((0, 2)), np.zeros((0, 2)), ShapeError),
        (np.zeros(2), np.zeros((2, 1)), ShapeError),
        (np.zeros(2), np.zeros(2, np.float32), DTypeError),
        (np.zeros(2, int), np.zeros(2, int), DTypeError),
    ],
)
def test_faults(pred, target, error):
    """Nothing is broadcast or cast."""
    with pytest.raises(error):
        mse(pred, target)
