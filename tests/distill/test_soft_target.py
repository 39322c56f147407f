"""Hinton's soft targets: gradient, identities, limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies.logits import TEMPERATURES, assert_gradient, logit_pairs

from kdq_ref.distill import hard_label, hinton, logit_matching, soft_target
from kdq_ref.errors import RangeError

Pair = tuple[np.ndarray, np.ndarray]


@given(logit_pairs(), TEMPERATURES)
def test_gradient(pair: Pair, temperature: float) -> None:
    """The gradient is that of the value, also where the softmax underflows."""
    student, teacher = pair
    assert_gradient(lambda s: soft_target(s, teacher, temperature=temperature), student)


@given(logit_pairs(), TEMPERATURES)
def test_equals_the_formula(pair: Pair, temperature: float) -> None:
    """T^2 / B times the sum of p log(p / q), with 0 log 0 = 0."""
    student, teacher = (np.clip(logits, -20, 20) for logits in pair)
    p, q = (np.exp(z / temperature) for z in (teacher, student))
    p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
    expected = temperature**2 * np.sum(p * np.log(p / q)) / len(p)
    loss, gradient = soft_target(student, teacher, temperature=temperature)
    assert_allclose(loss, expected, atol=1e-10)
    assert_allclose(gradient, temperature / len(p) * (q - p), atol=1e-12)


@given(logit_pairs(np.float32), TEMPERATURES)
def test_a_perfect_student_has_nothing_to_learn(pair: Pair, temperature: float) -> None:
    """Student equal to teacher: loss and gradient are exactly 0, in float32 too."""
    _, teacher = pair
    loss, gradient = soft_target(teacher.copy(), teacher, temperature=temperature)
    assert loss == 0
    assert_array_equal(gradient, np.zeros_like(teacher))


@given(logit_pairs(), TEMPERATURES, st.floats(-100, 100))
def test_divergence_properties(pair: Pair, temperature: float, shift: float) -> None:
    """Never negative; blind to a constant added to all logits; gradients sum to 0 per sample."""
    student, teacher = pair
    loss, gradient = soft_target(student, teacher, temperature=temperature)
    assert loss >= -1e-9
    assert_allclose(gradient.sum(axis=1), 0, atol=1e-12 * temperature)
    moved, _ = soft_target(student + shift, teacher, temperature=temperature)
    assert_allclose(moved, loss, rtol=1e-9, atol=1e-8)


@given(logit_pairs())
def test_hot_limit_is_logit_matching(pair: Pair) -> None:
    """For T to infinity C times the gradient is that of matching logits of zero mean (sec. 2.1)."""
    student, teacher = (np.clip(z, -10, 10) for z in pair)
    student, teacher = (z - z.mean(axis=1, keepdims=True) for z in (student, teacher))
    _, hot = soft_target(student, teacher, temperature=1e6)
    _, matching = logit_matching(student, teacher)
    assert_allclose(student.shape[1] * hot, matching, atol=1e-3)


@given(logit_pairs(), TEMPERATURES, st.floats(0, 1), st.data())
def test_hinton_is_the_weighted_sum(
    pair: Pair, temperature: float, lam: float, data: st.DataObject
) -> None:
    """Lambda weighs the teacher; the gradient is that of the value; -1 is no label."""
    student, teacher = pair
    batch, classes = student.shape
    labels = np.array(data.draw(st.lists(st.integers(-1, classes - 1), min_size=batch)))[:batch]

    def loss(s: np.ndarray) -> tuple[float, np.ndarray]:
        return hinton(s, teacher, labels, temperature=temperature, lam=lam)

    assert_gradient(loss, student)
    soft, _ = soft_target(student, teacher, temperature=temperature)
    hard, _ = hard_label(student, labels)
    assert_allclose(loss(student)[0], lam * soft + (1 - lam) * hard)


def test_lambda_weighs_the_teacher() -> None:
    """At 1 the labels do not matter, at 0 the teacher does not."""
    student, teacher, other = np.random.default_rng(0).standard_normal((3, 4, 5))
    labels, wrong = np.array([0, 1, 2, 3]), np.array([1, 2, 3, 4])

    def value(t: np.ndarray, y: np.ndarray, lam: float) -> float:
        return hinton(student, t, y, temperature=2.0, lam=lam)[0]

    assert value(teacher, labels, 1.0) == value(teacher, wrong, 1.0)
    assert value(teacher, labels, 0.0) == value(other, labels, 0.0)
    assert value(teacher, labels, 0.5) != value(teacher, wrong, 0.5)


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.inf, np.nan])
def test_temperature_is_positive_and_finite(temperature: float) -> None:
    """Anything else is refused."""
    with pytest.raises(RangeError, match="temperature must be positive and finite"):
        soft_target(np.zeros((1, 2)), np.zeros((1, 2)), temperature=temperature)


@pytest.mark.parametrize("lam", [-0.1, 1.1, np.nan])
def test_lambda_is_a_fraction(lam: float) -> None:
    """Lambda outside [0, 1] is refused."""
    with pytest.raises(RangeError, match="lam must be in"):
        hinton(np.zeros((1, 2)), np.zeros((1, 2)), np.zeros(1, int), temperature=1.0, lam=lam)
