"""Gradient descent against closed forms and hand calculation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from kdq_ref.errors import InvalidArgumentError, RangeError
from kdq_ref.optim import SGD


def run(sgd: SGD, gradient, start: float, lr: float, steps: int) -> float:
    """Descend from `start` in float64."""
    w = np.array([start])
    for _ in range(steps):
        sgd.update({"w": w}, {"w": gradient(w)}, lr)
    return float(w[0])


@given(st.floats(0.01, 1.9), st.integers(1, 20))
def test_plain_descent_on_a_parabola(lr, steps):
    """On w**2 / 2 every step multiplies by 1 - lr."""
    assert_allclose(run(SGD(), lambda w: w, 3.0, lr, steps), 3 * (1 - lr) ** steps, atol=1e-12)


@given(st.floats(0, 0.95), st.integers(1, 20))
def test_momentum_under_a_constant_gradient(momentum, steps):
    """The velocity is a geometric sum, the way is the sum of the velocities."""
    velocities = [sum(momentum**i for i in range(t + 1)) for t in range(steps)]
    w = run(SGD(momentum), np.ones_like, 0.0, 0.1, steps)
    assert_allclose(w, -0.1 * sum(velocities))


def test_two_steps_by_hand():
    """Momentum 0.5, decay 0.1, gradient w: v1 = 1.1, w1 = 0.89; v2 = 0.55 + 0.979, w2."""
    assert_allclose(run(SGD(0.5, weight_decay=0.1), lambda w: w, 1.0, 0.1, 1), 1 - 0.11)
    assert_allclose(run(SGD(0.5, weight_decay=0.1), lambda w: w, 1.0, 0.1, 2), 0.89 - 0.1529)


def test_two_nesterov_steps_by_hand():
    """Momentum 0.5, gradient 1: v = 1, 1.5; d = 1 + 0.5 v = 1.5, 1.75."""
    sgd = SGD(0.5, nesterov=True)
    assert_allclose(run(sgd, np.ones_like, 0.0, 1.0, 2), -(1.5 + 1.75))


@pytest.mark.parametrize("keywords", [{"momentum": -0.1}, {"momentum": 1.1}, {"weight_decay": -1}])
def test_ranges(keywords):
    """Hyperparameters outside their range are refused."""
    with pytest.raises(RangeError):
        SGD(**keywords)


def test_nesterov_needs_momentum():
    """Without it there is nothing to look along."""
    with pytest.raises(InvalidArgumentError, match="momentum > 0"):
        SGD(nesterov=True)
