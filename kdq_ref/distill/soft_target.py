"""Distillation by soft targets: Hinton, Vinyals, Dean (2015)."""

from __future__ import annotations

import numpy as np

from kdq_ref.checks import check_in_range
from kdq_ref.distill.hard_label import hard_label
from kdq_ref.distill.logits import check_logits
from kdq_ref.errors import RangeError
from kdq_ref.functional import log_softmax_forward


def soft_target(
    student: np.ndarray, teacher: np.ndarray, *, temperature: float
) -> tuple[float, np.ndarray]:
    r"""Tempered KL divergence and its gradient with respect to the student's logits.

    .. math:: L = \frac{T^2}{B} \sum_b KL(p_b \| q_b), \quad p = softmax(t/T), \; q = softmax(s/T)

    Parameters
    ----------
    student, teacher : (B, C) float ndarray
        Logits s and t.
    temperature : float
        T, positive.

    Returns
    -------
    loss : float
    dstudent : (B, C) ndarray
        ``(T / B) * (q - p)``

    Raises
    ------
    ShapeError, DTypeError, RangeError

    Notes
    -----
    ``T**2`` keeps the gradient's size comparable across T [1]_. The mean is over B only; over B*C
    it would be C times smaller. The paper's cross-entropy between p and q differs from the
    divergence by the entropy of p, a constant: the gradients are the same.

    .. [1] Hinton, Vinyals, Dean (2015), arXiv:1503.02531, section 2.
    """
    student, teacher = check_logits(student, teacher)
    check_temperature(temperature)
    log_p, _ = log_softmax_forward(teacher / temperature)
    log_q, _ = log_softmax_forward(student / temperature)
    p = np.exp(log_p)
    divergence = float(np.sum(p * (log_p - log_q), dtype=np.float64))
    dstudent = np.exp(log_q)
    dstudent -= p
    dstudent *= temperature / len(student)
    return temperature**2 * divergence / len(student), dstudent


def hinton(
    student: np.ndarray,
    teacher: np.ndarray,
    labels: np.ndarray,
    *,
    temperature: float,
    lam: float,
) -> tuple[float, np.ndarray]:
    r"""Soft targets and hard labels together.

    .. math:: L = \lambda L_{soft} + (1 - \lambda) L_{hard}

    :math:`\lambda` weighs the *teacher's* side: 1 ignores the labels, 0 ignores the teacher.

    Parameters
    ----------
    student, teacher : (B, C) float ndarray
    labels : (B,) integer ndarray
        -1 marks a sample without a label, which contributes its soft term only.
    temperature : float
    lam : float
        :math:`\lambda` in [0, 1].

    Returns
    -------
    loss : float
        :func:`soft_target` and :func:`~kdq_ref.distill.hard_label`, both means over all B samples.
    dstudent : (B, C) ndarray

    Raises
    ------
    ShapeError, DTypeError, RangeError

    Notes
    -----
    Hinton, Vinyals, Dean (2015), arXiv:1503.02531, section 2, who advise a considerably lower
    weight on the hard labels; the hard term is at temperature 1.
    """
    check_in_range("lam", lam, 0.0, 1.0)
    soft, dsoft = soft_target(student, teacher, temperature=temperature)
    hard, dhard = hard_label(student, labels)
    return lam * soft + (1 - lam) * hard, lam * dsoft + (1 - lam) * dhard


def check_temperature(temperature: float) -> None:
    """Raise RangeError unless `temperature` is positive and finite."""
    if not 0 < temperature < float("inf"):
        raise RangeError(f"temperature must be positive and finite, got {temperature!r}")
