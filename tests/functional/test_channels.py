"""Per-channel sums and broadcasts against their plain definitions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies.layers import generators

from kdq_ref.functional.channels import channel_dot, channel_sum, tile, wide

shapes = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(lambda s: (*s, len(s) + 1))


@given(generators, shapes)
def test_sums(rng, shape):
    """Sums over all axes but the last, also of arrays that are not contiguous."""
    a, b = rng.standard_normal((2, *shape))
    a = a[::-1]
    axes = tuple(range(len(shape) - 1))
    assert_allclose(channel_sum(a), a.sum(axis=axes), atol=1e-12)
    assert_allclose(channel_dot(a, b), (a * b).sum(axis=axes), atol=1e-12)


@given(generators, shapes)
def test_broadcast(rng, shape):
    """``wide(x) + tile(v, x)`` is ``x + v``, and `wide` of a contiguous array is a view."""
    x, v = rng.standard_normal(shape), rng.standard_normal(shape[-1])
    assert_array_equal((wide(x) + tile(v, x)).reshape(shape), x + v)
    view = wide(x)
    view += 1
    assert x.size == 0 or np.shares_memory(view, x)
