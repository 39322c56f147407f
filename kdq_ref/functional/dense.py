"""Affine map of vectors."""

from __future__ import annotations

import numpy as np

DenseCache = tuple[np.ndarray, np.ndarray, bool]


def dense_forward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None
) -> tuple[np.ndarray, DenseCache]:
    """Compute ``y = x @ w + b``.

    Parameters
    ----------
    x : (B, n_in) ndarray
    w : (n_in, n_out) ndarray
    b : (n_out,) ndarray, optional

    Returns
    -------
    y : (B, n_out) ndarray
    cache : DenseCache
    """
    y = x @ w
    if b is not None:
        y += b
    return y, (x, w, b is not None)


def dense_backward(
    dy: np.ndarray, cache: DenseCache, *, input_gradient: bool = True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]:
    """Gradients of `dense_forward`.

    Parameters
    ----------
    dy : (B, n_out) ndarray
    cache : DenseCache
    input_gradient : bool
        Whether to compute ``dx``.

    Returns
    -------
    dx : (B, n_in) ndarray or None
        ``dy @ w.T``
    dw : (n_in, n_out) ndarray
        ``x.T @ dy``
    db : (n_out,) ndarray or None
        ``dy.sum(0)``
    """
    x, w, has_bias = cache
    dx = dy @ w.T if input_gradient else None
    return dx, x.T @ dy, dy.sum(axis=0) if has_bias else None
