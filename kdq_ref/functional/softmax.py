"""Softmax and its logarithm over the last axis, safe for logits of any finite size."""

from __future__ import annotations

import numpy as np


def softmax_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute ``exp(x) / exp(x).sum(-1)``, shifted by the row's maximum.

    Parameters
    ----------
    x : (..., C) ndarray

    Returns
    -------
    y : (..., C) ndarray
    cache : ndarray
        `y`
    """
    y = np.exp(x - x.max(axis=-1, keepdims=True))
    y /= y.sum(axis=-1, keepdims=True)
    return y, y


def softmax_backward(dy: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Gradient of `softmax_forward`: ``y * (dy - (dy * y).sum(-1))``."""
    y = cache
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


def log_softmax_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute ``x - log(exp(x).sum(-1))``, shifted by the row's maximum.

    Parameters
    ----------
    x : (..., C) ndarray

    Returns
    -------
    y : (..., C) ndarray
    cache : ndarray
        `y`
    """
    y = x - x.max(axis=-1, keepdims=True)
    y -= np.log(np.exp(y).sum(axis=-1, keepdims=True))
    return y, y


def log_softmax_backward(dy: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Gradient of `log_softmax_forward`: ``dy - exp(y) * dy.sum(-1)``."""
    return dy - np.exp(cache) * dy.sum(axis=-1, keepdims=True)
