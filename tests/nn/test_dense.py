"""The affine layer."""

from __future__ import annotations

import numpy as np
import pytest
from gradients import assert_layer_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies.layers import generators

from kdq_ref import nn
from kdq_ref.errors import DTypeError, RangeError, ShapeError


@settings(max_examples=20)
@given(generators, st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_gradients(rng, n_in, n_out, bias):
    """With and without a bias."""
    layer = nn.Dense(n_in, n_out, bias=bias, rng=rng)
    assert_layer_gradients(layer, rng.standard_normal((3, n_in)), rng)


def test_shapes_and_macs():
    """One product per weight; images are sent to Flatten."""
    layer = nn.Dense(6, 4, rng=np.random.default_rng(0))
    assert layer.output_shape((6,)) == (4,)
    assert layer.macs((6,)) == 24
    with pytest.raises(ShapeError, match="Flatten"):
        layer.output_shape((1, 2, 3))


@pytest.mark.parametrize(("size", "error"), [(0, RangeError), (1.5, DTypeError)])
def test_sizes_are_positive_integers(size, error):
    """Anything else is named."""
    with pytest.raises(error, match="n_in"):
        nn.Dense(size, 4, rng=np.random.default_rng(0))
