"""Between real numbers, codes and accumulators."""

from __future__ import annotations

import numpy as np

from kdq_ref import operands
from kdq_ref.checks import check_array, check_finite
from kdq_ref.rounding import Requant, channels_of


def quantize(x: np.ndarray, *, scale: float, zero_point: int) -> np.ndarray:
    """``clamp(rne(x / scale) + zero_point, -128, 127)``, in float32, half to even.

    Parameters
    ----------
    x : float32 ndarray
        Finite; any shape.
    scale : float
        Positive; used as float32.
    zero_point : int

    Returns
    -------
    int8 ndarray of ``x``'s shape

    Raises
    ------
    DTypeError, RangeError, NotFiniteError
    """
    x = check_finite("x", check_array("x", x, dtype=np.float32))
    operands.check_scale(scale)
    zero_point = operands.check_zero_point("zero_point", zero_point)
    with np.errstate(over="ignore"):  # an infinite quotient clamps like any large one
        q = np.rint(x / np.float32(scale))
    # Clamped before the zero point is added: float32 holds these small integers exactly.
    q = np.clip(q, np.float32(-128 - zero_point), np.float32(127 - zero_point))
    return (q + np.float32(zero_point)).astype(np.int8)


def dequantize(q: np.ndarray, *, scale: float, zero_point: int) -> np.ndarray:
    """``scale * (q - zero_point)`` in float32: one rounding.

    Parameters
    ----------
    q : int8 ndarray
    scale : float
    zero_point : int

    Returns
    -------
    float32 ndarray of ``q``'s shape
    """
    q = check_array("q", q, dtype=np.int8)
    operands.check_scale(scale)
    operands.check_zero_point("zero_point", zero_point)
    return (q.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def requantize(acc: np.ndarray, requant: Requant) -> np.ndarray:
    """``clamp(rule(acc) + zero_point, qmin, qmax)``.

    Parameters
    ----------
    acc : (..., C) int32 ndarray
    requant : Requant
        With constants for C channels, or one for all.

    Returns
    -------
    (..., C) int8 ndarray
    """
    channels_of(requant)
    return requant.apply(check_array("acc", acc, dtype=np.int32))
