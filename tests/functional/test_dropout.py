"""Inverted, seeded dropout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from kdq_ref import functional


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.99), st.sampled_from([np.float32, np.float64]))
def test_values_are_dropped_or_scaled(seed, p, dtype):
    """Each value is 0 or divided by 1 - p; the gradient goes the same way; a seed repeats."""
    x = np.random.default_rng(0).standard_normal((3, 5)).astype(dtype)
    y, cache = functional.dropout_forward(x, p, np.random.default_rng(seed))
    again, _ = functional.dropout_forward(x, p, np.random.default_rng(seed))
    assert_array_equal(y, again)
    assert y.dtype == dtype
    kept = y != 0
    assert_array_equal(y[kept], (x * dtype(1 / (1 - p)))[kept])
    dx = functional.dropout_backward(np.ones_like(x), cache)
    assert_array_equal(dx, np.where(kept, dtype(1 / (1 - p)), dtype(0)))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_mean_is_kept(p):
    """Over 100,000 ones the mean is 1, within five standard errors."""
    y, _ = functional.dropout_forward(np.ones(100_000), p, np.random.default_rng(1))
    assert abs(y.mean() - 1) < 5 * np.sqrt(p / (1 - p) / y.size)


def test_the_draws_do_not_depend_on_the_dtype():
    """A float64 copy of a network drops the same values as the original."""
    drop = [
        functional.dropout_forward(np.ones(50, dtype), 0.5, np.random.default_rng(3))[0] == 0
        for dtype in (np.float32, np.float64)
    ]
    assert_array_equal(*drop)
