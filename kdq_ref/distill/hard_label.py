"""The hard side of a distillation loss: cross-entropy where there is a label."""

from __future__ import annotations

import numpy as np

from kdq_ref.checks import check_array
from kdq_ref.losses import cross_entropy

UNLABELLED = -1
"""Label of a sample of the transfer set whose class nobody knows."""


def hard_label(
    student: np.ndarray, labels: np.ndarray, *, label_smoothing: float = 0.0
) -> tuple[float, np.ndarray]:
    r"""Cross-entropy against hard labels, 0 for samples that have none.

    .. math:: L = -\frac{1}{B} \sum_{b: y_b \ge 0} \log softmax(s_b)_{y_b}

    Parameters
    ----------
    student : (B, C) float ndarray
    labels : (B,) integer ndarray
        In ``[0, C)``, or -1 for a sample without a label.
    label_smoothing : float
        As in :func:`~kdq_ref.losses.cross_entropy`.

    Returns
    -------
    loss : float
        Divided by B, labelled or not: so batches add up to the epoch's mean whatever their mix,
        and a sample weighs the same in every batch.
    dstudent : (B, C) ndarray
        ``(softmax(s) - one_hot(y)) / B``, rows of zeros where there is no label.

    Raises
    ------
    ShapeError, DTypeError, RangeError
    """
    labels = check_array("labels", labels, shape=(len(student),))
    labelled = np.flatnonzero(labels != UNLABELLED)
    if len(labelled) == len(labels):
        return cross_entropy(student, labels, label_smoothing=label_smoothing)
    dstudent = np.zeros_like(student)
    if not len(labelled):
        return 0.0, dstudent
    loss, rows = cross_entropy(student[labelled], labels[labelled], label_smoothing=label_smoothing)
    share = len(labelled) / len(labels)
    dstudent[labelled] = rows * share
    return loss * share, dstudent
