"""Per-channel broadcasts and sums over channels-last arrays, with long inner loops.

NumPy runs ``x + v`` with v : (C,) as many loops of length C, and a sum over all axes but the last
likewise. Seen as rows of W * C values the same work runs at the speed of memory.
"""

from __future__ import annotations

import math

import numpy as np


def wide(x: np.ndarray) -> np.ndarray:
    """See x : (..., W, C) as rows of ``W * C`` values (a view of a contiguous array)."""
    if x.ndim <= 2:
        return x
    return x.reshape(math.prod(x.shape[:-2]), x.shape[-2] * x.shape[-1])


def tile(vector: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Repeat vector : (C,) to the row length of ``wide(x)``."""
    return vector if x.ndim <= 2 else np.tile(vector, x.shape[-2])


def channel_sum(x: np.ndarray) -> np.ndarray:
    """Sum x : (..., C) over every axis but the last, giving (C,)."""
    return wide(x).sum(axis=0).reshape(-1, x.shape[-1]).sum(axis=0)


def channel_dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sum a * b, both (..., C), over every axis but the last, without storing the products."""
    return np.einsum("nc,nc->c", wide(a), wide(b)).reshape(-1, a.shape[-1]).sum(axis=0)
