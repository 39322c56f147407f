"""Mean squared error."""

from __future__ import annotations

import numpy as np

from kdq_ref.checks import check_array
from kdq_ref.errors import ShapeError


def mse(pred: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    r"""Squared error, averaged over all elements, and its gradient with respect to `pred`.

    .. math:: L = \frac{1}{n} \sum_i (p_i - t_i)^2, \quad dL/dp = \frac{2}{n} (p - t)

    Parameters
    ----------
    pred, target : float ndarray of one shape

    Returns
    -------
    loss : float
    dpred : ndarray

    Raises
    ------
    ShapeError, DTypeError
    """
    pred = check_array("pred", pred, dtype=(np.float32, np.float64))
    target = check_array("target", target, dtype=pred.dtype, shape=pred.shape)
    if not pred.size:
        raise ShapeError("the mean over no elements is undefined; pass at least one")
    difference = pred - target
    loss = float(np.sum(difference * difference, dtype=np.float64)) / pred.size
    return loss, difference * difference.dtype.type(2 / pred.size)
