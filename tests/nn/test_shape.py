"""Flatten and Add."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies.layers import generators

from kdq_ref import nn
from kdq_ref.errors import ShapeError

shapes = st.lists(st.integers(0, 3), min_size=2, max_size=4).map(tuple)


@given(generators, shapes)
def test_flatten_is_row_major_and_goes_back(rng, shape):
    """Empty batches keep their width."""
    x = rng.standard_normal(shape)
    layer = nn.Flatten()
    y, cache = layer.forward(x)
    assert y.shape == (shape[0], *layer.output_shape(shape[1:]))
    assert_array_equal(y.ravel(), x.ravel())
    assert_array_equal(layer.backward(y, cache)[0], x)


@given(generators, shapes)
def test_add(rng, shape):
    """The gradient goes to both sides."""
    a, b, dy = rng.standard_normal((3, *shape))
    layer = nn.Add()
    y, cache = layer.forward((a, b))
    assert_array_equal(y, a + b)
    for part in layer.backward(dy, cache)[0]:
        assert_array_equal(part, dy)


def test_add_does_not_broadcast():
    """Equal shapes only."""
    assert nn.Add().output_shape(((2, 3), (2, 3))) == (2, 3)
    with pytest.raises(ShapeError, match=r"\(2, 3\) and \(1, 3\)"):
        nn.Add().output_shape(((2, 3), (1, 3)))
