"""Cross-entropy on the teacher's probabilities: gradient, and its kin."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from numpy.testing import assert_allclose
from strategies.logits import assert_gradient, logit_pairs

from kdq_ref.distill import soft_label_cross_entropy, soft_target

Pair = tuple[np.ndarray, np.ndarray]


@given(logit_pairs())
def test_gradient(pair: Pair) -> None:
    """The gradient is that of the value."""
    student, teacher = pair
    assert_gradient(lambda s: soft_label_cross_entropy(s, teacher), student)


@given(logit_pairs())
def test_is_the_divergence_plus_the_entropy(pair: Pair) -> None:
    """Soft targets at T = 1 differ by the teacher's entropy, and have the same gradient."""
    student, teacher = pair
    loss, gradient = soft_label_cross_entropy(student, teacher)
    entropy, _ = soft_label_cross_entropy(teacher, teacher)
    divergence, same = soft_target(student, teacher, temperature=1.0)
    assert_allclose(loss, divergence + entropy, atol=1e-9)
    assert_allclose(gradient, same, atol=1e-12)
