"""Batch normalisation: moments, gradients, and its inference form."""

from __future__ import annotations

import numpy as np
import pytest
from gradients import assert_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from strategies.layers import generators

from kdq_ref import functional
from kdq_ref.errors import ShapeError

shapes = st.one_of(
    st.tuples(st.integers(2, 6), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(2, 3), st.integers(1, 4)),
)


def draw(rng: np.random.Generator, shape: tuple[int, ...]):
    """Random x, gamma, beta, dy."""
    channels = shape[-1]
    x = 3 * rng.standard_normal(shape) + 2
    x += 2 * np.arange(x.size).reshape(shape)  # No channel is nearly constant.
    gamma, beta = rng.uniform(0.5, 2, channels), rng.standard_normal(channels)
    return x, gamma, beta, rng.standard_normal(shape)


@given(generators, shapes)
def test_training_uses_the_moments_of_the_batch(rng, shape):
    """Mean and biased variance per channel, as numpy computes them."""
    x, gamma, beta, _ = draw(rng, shape)
    y, cache = functional.batch_norm_forward(x, gamma, beta, eps=1e-3)
    axes = tuple(range(x.ndim - 1))
    mean, var = x.mean(axis=axes), x.var(axis=axes)
    assert_allclose(cache.mean, mean)
    assert_allclose(cache.var, var)
    assert_allclose(y, gamma * (x - mean) / np.sqrt(var + 1e-3) + beta, atol=1e-12)


@given(generators, shapes)
def test_inference_uses_the_moments_given(rng, shape):
    """The affine map of the paper's algorithm 2; with the batch's moments it equals training."""
    x, gamma, beta, _ = draw(rng, shape)
    mean, var = rng.standard_normal(shape[-1]), rng.uniform(0.1, 2, shape[-1])
    y, _ = functional.batch_norm_inference_forward(x, gamma, beta, mean, var, eps=1e-3)
    assert_allclose(y, gamma * (x - mean) / np.sqrt(var + 1e-3) + beta, atol=1e-12)
    trained, cache = functional.batch_norm_forward(x, gamma, beta)
    same, _ = functional.batch_norm_inference_forward(x, gamma, beta, cache.mean, cache.var)
    assert_allclose(trained, same, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
@settings(max_examples=25)
@given(rng=generators, shape=shapes)
def test_gradients(training, rng, shape):
    """dx, dgamma, dbeta for a random upstream gradient; the moments depend on x in training."""
    x, gamma, beta, dy = draw(rng, shape)
    mean, var = rng.standard_normal(shape[-1]), rng.uniform(0.5, 2, shape[-1])

    def forward() -> tuple:
        if training:
            return functional.batch_norm_forward(x, gamma, beta)
        return functional.batch_norm_inference_forward(x, gamma, beta, mean, var)

    backward = (
        functional.batch_norm_backward if training else functional.batch_norm_inference_backward
    )
    dx, dgamma, dbeta = backward(dy, forward()[1])
    assert_gradients(
        lambda: float(np.sum(forward()[0] * dy)),
        {"x": x, "gamma": gamma, "beta": beta},
        {"x": dx, "gamma": dgamma, "beta": dbeta},
    )


def test_a_large_mean_does_not_drown_the_variance():
    """In float32 with mean 1000 and variance 1 the result is still normalised."""
    x = (1000 + np.random.default_rng(0).standard_normal((8, 7, 7, 2))).astype(np.float32)
    one, zero = np.ones(2, np.float32), np.zeros(2, np.float32)
    y, cache = functional.batch_norm_forward(x, one, zero)
    assert y.dtype == cache.var.dtype == np.float32
    assert_allclose(cache.var, x.astype(np.float64).var(axis=(0, 1, 2)), rtol=1e-3)
    assert_allclose(y.std(axis=(0, 1, 2)), 1, rtol=1e-3)
    assert functional.batch_norm_backward(y, cache)[0].dtype == np.float32


def test_an_empty_batch_has_no_moments():
    """A typed error, not a NaN."""
    with pytest.raises(ShapeError, match="empty batch"):
        functional.batch_norm_forward(np.ones((0, 2)), np.ones(2), np.zeros(2))
