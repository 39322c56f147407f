"""Dropout (Srivastava et al. 2014, JMLR 15, 1929-1958), in its inverted form."""

from __future__ import annotations

import numpy as np


def dropout_forward(
    x: np.ndarray, p: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Zero each value with probability `p` and divide the others by ``1 - p``.

    The expected value is unchanged, so that inference is the identity.

    Parameters
    ----------
    x : ndarray
    p : float
        In [0, 1).
    rng : numpy.random.Generator
        Draws one float32 per value of `x`, whatever its dtype.

    Returns
    -------
    y : ndarray
    cache : ndarray
        The factors, 0 or ``1 / (1 - p)``.
    """
    kept = rng.random(x.shape, dtype=np.float32) >= p
    factors = kept * x.dtype.type(1 / (1 - p))
    return x * factors, factors


def dropout_backward(dy: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Gradient of `dropout_forward`: ``dy`` times the same factors."""
    return dy * cache
