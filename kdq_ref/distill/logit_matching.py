"""Distillation by regression on logits: Ba and Caruana (2014)."""

from __future__ import annotations

import numpy as np

from kdq_ref.distill.logits import check_logits


def logit_matching(student: np.ndarray, teacher: np.ndarray) -> tuple[float, np.ndarray]:
    r"""Half the squared distance between logits, and its gradient.

    .. math:: L = \frac{1}{2 B} \sum_b \| s_b - t_b \|_2^2

    Parameters
    ----------
    student, teacher : (B, C) float ndarray
        Logits s and t.

    Returns
    -------
    loss : float
    dstudent : (B, C) ndarray
        ``(s - t) / B``

    Raises
    ------
    ShapeError, DTypeError

    Notes
    -----
    Ba, Caruana (2014), *Do Deep Nets Really Need to be Deep?*, arXiv:1312.6184, equation 1: a sum
    over classes and a mean over samples, with the factor one half. :func:`~kdq_ref.losses.mse`
    averages over classes too and has no half: it is ``2 / C`` times this. For logits of zero mean
    over classes, C times the gradient of :func:`~kdq_ref.distill.soft_target` tends to this one
    for large temperatures (Hinton et al. 2015, section 2.1).
    """
    student, teacher = check_logits(student, teacher)
    dstudent = student - teacher
    loss = float(np.sum(np.square(dstudent), dtype=np.float64)) / (2 * len(student))
    dstudent /= len(student)
    return loss, dstudent
