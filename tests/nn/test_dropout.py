"""The dropout layer."""

from __future__ import annotations

import numpy as np
import pytest
from gradients import assert_layer_gradients
from numpy.testing import assert_array_equal

from kdq_ref import functional, nn
from kdq_ref.errors import InvalidArgumentError, RangeError


def test_training_drops_by_the_generator_given():
    """As the function does; gradients included."""
    x = np.random.default_rng(0).standard_normal((4, 5))
    y, _ = nn.Dropout(0.4).forward(x, training=True, rng=np.random.default_rng(1))
    assert_array_equal(y, functional.dropout_forward(x, 0.4, np.random.default_rng(1))[0])
    assert_layer_gradients(nn.Dropout(0.4), x, np.random.default_rng(2))


@pytest.mark.parametrize(("p", "training"), [(0.4, False), (0.0, True)])
def test_otherwise_it_is_the_identity(p, training):
    """No copy, no generator needed, gradients pass."""
    x = np.ones((2, 3))
    y, cache = nn.Dropout(p).forward(x, training=training)
    assert y is x
    assert nn.Dropout(p).backward(x, cache)[0] is x


def test_a_missing_generator_is_an_error():
    """There is no global random state to fall back on."""
    with pytest.raises(InvalidArgumentError, match="rng="):
        nn.Dropout(0.5).forward(np.ones((1, 1)), training=True)


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_range(p):
    """A probability below one."""
    with pytest.raises(RangeError):
        nn.Dropout(p)
