"""Logit matching: gradient, and how it compares with the mean squared error."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal
from strategies.logits import assert_gradient, logit_pairs

from kdq_ref.distill import logit_matching
from kdq_ref.losses import mse

Pair = tuple[np.ndarray, np.ndarray]


@given(logit_pairs())
def test_gradient(pair: Pair) -> None:
    """The gradient is that of the value."""
    student, teacher = pair
    assert_gradient(lambda s: logit_matching(s, teacher), student)


@given(logit_pairs())
def test_reduction(pair: Pair) -> None:
    """Sum over classes, half, mean over samples: C / 2 times the mean squared error."""
    student, teacher = pair
    loss, gradient = logit_matching(student, teacher)
    by_mse, gradient_by_mse = mse(student, teacher)
    half = student.shape[1] / 2
    assert_allclose(loss, half * by_mse)
    assert_allclose(gradient, half * gradient_by_mse)


@given(logit_pairs(np.float32))
def test_a_perfect_student_has_nothing_to_learn(pair: Pair) -> None:
    """Student equal to teacher: exactly 0."""
    _, teacher = pair
    loss, gradient = logit_matching(teacher.copy(), teacher)
    assert loss == 0
    assert_array_equal(gradient, np.zeros_like(teacher))
