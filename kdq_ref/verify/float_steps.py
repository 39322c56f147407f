"""Single steps of float32 arithmetic as hardware does them, where NumPy has no such step."""

from __future__ import annotations

import numpy as np

INT32_MIN = -(2**31)


def fma32(a: np.ndarray, b: np.ndarray | float, c: np.ndarray | float) -> np.ndarray:
    """Fused ``a * b + c`` in float32: one rounding, half to even.

    The product of two float32 is exact in float64. Its sum with ``c`` is not: it is rounded to odd
    (the last bit is set wherever something was lost), and a number of 53 bits rounded to odd rounds
    to 24 bits as the exact one does (Boldo, Melquiond 2008, doi 10.1109/TC.2007.70819).

    Parameters
    ----------
    a, b, c : float32 ndarray or float
        Finite; floats must be float32 numbers.

    Returns
    -------
    float32 ndarray
    """
    product = np.asarray(a, np.float64) * np.asarray(b, np.float64)
    addend = np.asarray(c, np.float64)
    total = product + addend
    # Knuth's two-sum: what the addition lost.
    part = total - product
    lost = (product - (total - part)) + (addend - part)
    bits = np.atleast_1d(total).view(np.int64)
    even = (bits & 1) == 0
    # To odd: towards what was lost, if the last bit is even; magnitudes grow with their bits.
    step = np.where((np.atleast_1d(lost) > 0) == (np.atleast_1d(total) > 0), 1, -1)
    odd = np.where((np.atleast_1d(lost) != 0) & even, bits + step, bits)
    with np.errstate(over="ignore"):
        return odd.view(np.float64).reshape(total.shape).astype(np.float32)


def to_int32(x: np.ndarray) -> np.ndarray:
    """Convert float32 to int32 as ``cvtps2dq`` does: half to even; what does not fit is INT_MIN.

    Returns
    -------
    int64 ndarray
    """
    rounded = np.rint(np.asarray(x, np.float64))
    fits = (rounded >= INT32_MIN) & (rounded < -float(INT32_MIN))
    return np.where(fits, rounded, INT32_MIN).astype(np.int64)
