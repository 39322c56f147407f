"""Cross-entropy of logits against hard or soft labels."""

from __future__ import annotations

import numpy as np

from kdq_ref.checks import check_array, check_in_range, check_labels
from kdq_ref.errors import RangeError, ShapeError
from kdq_ref.functional import log_softmax_forward


def cross_entropy(
    logits: np.ndarray, labels: np.ndarray, *, label_smoothing: float = 0.0
) -> tuple[float, np.ndarray]:
    r"""Mean cross-entropy over the batch and its gradient with respect to the logits.

    .. math:: L = -\frac{1}{B} \sum_{b,c} t_{bc} \log softmax(z_b)_c, \quad
        t = (1 - \epsilon) p + \epsilon / C

    Parameters
    ----------
    logits : (B, C) float ndarray
    labels : (B,) integer ndarray of classes, or (B, C) float ndarray of probabilities p
    label_smoothing : float
        The weight :math:`\epsilon` of the uniform distribution (Szegedy et al. 2015,
        arXiv:1512.00567, section 7), in [0, 1].

    Returns
    -------
    loss : float
    dlogits : (B, C) ndarray
        ``(softmax(logits) - t) / B``

    Raises
    ------
    ShapeError, DTypeError, RangeError
        An empty batch; labels outside the classes; rows of `p` that are no distributions.
    """
    logits = check_array("logits", logits, dtype=(np.float32, np.float64), ndim=2)
    if not len(logits):
        raise ShapeError("the mean over an empty batch is undefined; pass at least one example")
    label_smoothing = float(check_in_range("label_smoothing", label_smoothing, 0.0, 1.0))
    target = _probabilities(labels, logits)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / logits.shape[1]
    log_q, _ = log_softmax_forward(logits)
    loss = -float(np.sum(target * log_q, dtype=np.float64)) / len(logits)
    dlogits = np.exp(log_q)
    dlogits -= target
    dlogits /= len(logits)
    return loss, dlogits


def _probabilities(labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Labels as (B, C) distributions in the dtype of the logits."""
    batch, classes = logits.shape
    labels = np.asarray(labels)
    if labels.ndim == 1:
        check_array("labels", labels, shape=(batch,))
        one_hot = np.zeros_like(logits)
        one_hot[np.arange(batch), check_labels("labels", labels, classes)] = 1
        return one_hot
    soft = check_array("labels", labels, dtype=(np.float32, np.float64), shape=(batch, classes))
    if not (soft.min() >= 0 and np.abs(soft.sum(axis=1) - 1).max() <= 1e-3):
        raise RangeError("soft labels must be distributions: rows of values >= 0 that sum to 1")
    return soft.astype(logits.dtype, copy=False)
