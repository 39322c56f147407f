"""Softmax and its logarithm against their definitions, and their gradients."""

from __future__ import annotations

import numpy as np
import pytest
from gradients import assert_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from strategies.layers import generators

from kdq_ref import functional

shapes = st.tuples(st.integers(0, 4), st.integers(1, 5))


@settings(max_examples=25)
@given(generators, shapes)
def test_definition_and_gradients(rng, shape):
    """Both functions, for a random upstream gradient."""
    x, dy = 3 * rng.standard_normal(shape), rng.standard_normal(shape)
    expected = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    for forward, backward, wanted in (
        (functional.softmax_forward, functional.softmax_backward, expected),
        (functional.log_softmax_forward, functional.log_softmax_backward, np.log(expected)),
    ):
        y, cache = forward(x)
        assert_allclose(y, wanted, atol=1e-12)
        dx = backward(dy, cache)
        assert_gradients(lambda f=forward: float(np.sum(f(x)[0] * dy)), {"x": x}, {"x": dx})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_logits(dtype):
    """Logits of +-1e4 neither overflow nor lose the small differences."""
    x = np.array([[1e4, -1e4, 1e4], [-1e4, -1e4, -1e4]], dtype)
    p, _ = functional.softmax_forward(x)
    log_p, _ = functional.log_softmax_forward(x)
    assert p.dtype == log_p.dtype == dtype
    assert_allclose(p, [[0.5, 0, 0.5], [1 / 3] * 3], rtol=1e-6)
    assert_allclose(log_p[0], [-np.log(2), -2e4 - np.log(2), -np.log(2)], rtol=1e-6)
