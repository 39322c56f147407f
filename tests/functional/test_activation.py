"""Activations against their formulas, and their gradients away from kinks and at them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gradients import assert_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies.layers import away_from, generators

from kdq_ref import functional

GELU_SLOPE = math.sqrt(2 / math.pi)

# Name: formula of one number, and where its derivative jumps.
CASES = {
    "relu": (lambda x: max(x, 0.0), (0.0,)),
    "relu6": (lambda x: min(max(x, 0.0), 6.0), (0.0, 6.0)),
    "leaky_relu": (lambda x: x if x > 0 else 0.01 * x, (0.0,)),
    "sigmoid": (lambda x: 1 / (1 + math.exp(-x)), ()),
    "tanh": (math.tanh, ()),
    "gelu": (lambda x: x / 2 * (1 + math.tanh(GELU_SLOPE * (x + 0.044715 * x**3))), ()),
    "hard_swish": (lambda x: x * min(max(x + 3, 0.0), 6.0) / 6, (-3.0, 3.0)),
}
shapes = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(tuple)


def halves(name: str):
    """Return the forward and the backward function."""
    return getattr(functional, f"{name}_forward"), getattr(functional, f"{name}_backward")


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=25)
@given(rng=generators, shape=shapes)
def test_formula_and_gradient(name, rng, shape):
    """Every element by the formula; dx by differences, for a random upstream gradient."""
    forward, backward = halves(name)
    formula, kinks = CASES[name]
    x = away_from(rng, shape, kinks or (-2.0, 2.0))
    y, cache = forward(x)
    assert_allclose(y, np.vectorize(formula, otypes=[float])(x), rtol=1e-12, atol=1e-12)
    dy = rng.standard_normal(shape)
    assert_gradients(
        lambda: float(np.sum(forward(x)[0] * dy)), {"x": x}, {"x": backward(dy, cache)}
    )


@pytest.mark.parametrize(
    ("name", "x", "dx"),
    [
        ("relu", [-0.0, 0.0], [0, 0]),
        ("relu6", [0.0, 6.0], [0, 0]),
        ("leaky_relu", [0.0], [0.01]),
        ("hard_swish", [-3.0, 3.0], [0, 1]),
    ],
)
def test_derivative_at_kinks(name, x, dx):
    """The documented side of each kink."""
    forward, backward = halves(name)
    x = np.array(x)
    assert_array_equal(backward(np.ones_like(x), forward(x)[1]), dx)


@pytest.mark.parametrize("name", CASES)
def test_extreme_inputs(name):
    """No warning, no NaN, in float32 throughout; infinities of the right sign stay away."""
    forward, backward = halves(name)
    x = np.array([[-1e4, -1e-30, 0.0, 1e-30, 1e4]], np.float32)
    y, cache = forward(x)
    dx = backward(np.ones_like(x), cache)
    assert y.dtype == dx.dtype == np.float32
    assert np.isfinite(y).all()
    assert np.isfinite(dx).all()


def test_relu_propagates_nan():
    """A diverged network must not look healthy."""
    assert np.isnan(functional.relu_forward(np.array([np.nan]))[0]).all()
