"""Distillation by the teacher's class probabilities: Li, Zhao, Huang, Gong (2014)."""

from __future__ import annotations

import numpy as np

from kdq_ref.distill.logits import check_logits
from kdq_ref.functional import softmax_forward
from kdq_ref.losses import cross_entropy


def soft_label_cross_entropy(student: np.ndarray, teacher: np.ndarray) -> tuple[float, np.ndarray]:
    r"""Cross-entropy of the student against the teacher's probabilities, and its gradient.

    .. math:: L = -\frac{1}{B} \sum_{b,c} p_{bc} \log softmax(s_b)_c, \quad p = softmax(t)

    Parameters
    ----------
    student, teacher : (B, C) float ndarray
        Logits s and t.

    Returns
    -------
    loss : float
        Mean over B. At least the mean entropy of p, which it reaches for ``s == t``.
    dstudent : (B, C) ndarray
        ``(softmax(s) - p) / B``, that of :func:`~kdq_ref.distill.soft_target` at temperature 1.

    Raises
    ------
    ShapeError, DTypeError

    Notes
    -----
    Li, Zhao, Huang, Gong (2014), *Learning small-size DNN with output-distribution-based
    criteria*, Interspeech.
    """
    student, teacher = check_logits(student, teacher)
    return cross_entropy(student, softmax_forward(teacher)[0])
