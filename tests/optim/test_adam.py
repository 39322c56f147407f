"""Adam and AdamW against closed forms and hand calculation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from kdq_ref.errors import RangeError
from kdq_ref.optim import Adam, AdamW

betas = st.tuples(st.floats(0, 0.99), st.floats(0, 0.999))


def run(adam: Adam, gradients: list[float], lr: float, start: float = 0.0) -> float:
    """Apply the gradients one after the other, in float64."""
    w = np.array([start])
    for gradient in gradients:
        adam.update({"w": w}, {"w": np.array([gradient])}, lr)
    return float(w[0])


@given(betas, st.floats(1e-3, 1e3), st.sampled_from([-1.0, 1.0]), st.integers(1, 10))
def test_a_constant_gradient_moves_by_the_learning_rate(betas, size, sign, steps):
    """Bias correction makes m / sqrt(v) the sign, from the first step on."""
    w = run(Adam(betas), [sign * size] * steps, 0.1)
    assert_allclose(w, -sign * 0.1 * steps * size / (size + 1e-8), rtol=1e-9)


def test_three_steps_by_the_papers_algorithm():
    """Gradients 1, -2, 3 with betas (0.9, 0.99), eps 0.1: algorithm 1, line by line."""
    m = v = w = 0.0
    gradients = [1.0, -2.0, 3.0]
    for t, g in enumerate(gradients, 1):
        m = 0.9 * m + 0.1 * g
        v = 0.99 * v + 0.01 * g * g
        w -= 0.5 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.99**t)) + 0.1)
    assert_allclose(run(Adam((0.9, 0.99), eps=0.1), gradients, 0.5), w)


@given(st.floats(-3, 3), st.floats(0, 0.5))
def test_l2_is_part_of_the_gradient(start, decay):
    """Adam's decay goes through the moments."""
    gradient = 2.0
    plain = run(Adam(), [gradient + decay * start], 0.1, start)
    assert_allclose(run(Adam(weight_decay=decay), [gradient], 0.1, start), plain)


@given(st.floats(-3, 3), st.floats(0, 0.5))
def test_decoupled_decay_is_not(start, decay):
    """AdamW shrinks the weight by 1 - lr * decay and then does what Adam does."""
    moved = run(Adam(), [2.0], 0.1, start) - start
    assert_allclose(
        run(AdamW(weight_decay=decay), [2.0], 0.1, start),
        start * (1 - 0.1 * decay) + moved,
        atol=1e-12,
    )


@pytest.mark.parametrize(
    "keywords",
    [
        {"betas": (1.0, 0.9)},
        {"betas": (0.9, 1.0)},
        {"betas": (-0.1, 0.9)},
        {"eps": 0.0},
        {"weight_decay": -0.1},
    ],
)
def test_ranges(keywords):
    """Hyperparameters that would divide by zero or grow weights are refused."""
    for kind in (Adam, AdamW):
        with pytest.raises(RangeError):
            kind(**keywords)
