"""Functions in gemmlowp's fixed point: int32 with a number of integer bits, rounded at every step.

``Qm`` here is int32 ``raw`` with ``real = raw * 2**(m - 31)``. All from gemmlowp's
``fixedpoint/fixedpoint.h``.
"""

from __future__ import annotations

import numpy as np

from kdq_ref.verify.dialects.tflite_arithmetic import int32

_ONE = 2**31 - 1
"""One in Q0, as near as it gets."""

_QUARTERS = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)
"""``exp(-2**e)`` in Q0 by ``e``."""

_EXP_MINUS_EIGHTH, _THIRD = 1895147668, 715827883
_48_OVER_17, _MINUS_32_OVER_17 = 1515870810, -1010580540
"""In Q2: Newton's first guess of a reciprocal."""


def multiply(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    """High half of the doubled product, rounded half up; saturates for INT32_MIN squared."""
    product = a.astype(np.int64) * b
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    # C divides towards zero.
    summed = product + nudge
    high = np.where(summed >= 0, summed >> 31, -(-summed >> 31))
    return np.minimum(high, _ONE)


def divide_by_power(x: np.ndarray, exponent: np.ndarray | int) -> np.ndarray:
    """``x / 2**exponent`` rounded half away from zero."""
    mask = (np.int64(1) << np.asarray(exponent, np.int64)) - 1
    remainder = x & mask
    return (x >> exponent) + (remainder > (mask >> 1) + (x < 0))


def saturating_shift(x: np.ndarray, bits: int) -> np.ndarray:
    """``x * 2**bits`` held inside int32."""
    return np.clip(x << bits, -(2**31), _ONE)


def exp_on_negative_values(a: np.ndarray, integer_bits: int) -> np.ndarray:
    """``exp(a)`` in Q0 of ``a <= 0`` in Q``integer_bits``, at most 5."""
    fractional = 31 - integer_bits
    quarter = 1 << (fractional - 2)
    part = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(saturating_shift(part, integer_bits))
    remainder = int32(part - a)
    for exponent, factor in _QUARTERS:
        if integer_bits > exponent:
            has = (remainder & (1 << (fractional + exponent))) != 0
            result = np.where(has, multiply(result, factor), result)
    return np.where(a == 0, _ONE, result)


def _exp_near_zero(a: np.ndarray) -> np.ndarray:
    """``exp(a)`` of ``-1/4 <= a < 0``: four terms of Taylor's series around -1/8."""
    x = a + (1 << 28)
    x2 = multiply(x, x)
    x3 = multiply(x2, x)
    x4_over_4 = divide_by_power(multiply(x2, x2), 2)
    rest = divide_by_power(multiply(x4_over_4 + x3, _THIRD) + x2, 1)
    return int32(_EXP_MINUS_EIGHTH + multiply(x + rest, _EXP_MINUS_EIGHTH))


def _half_reciprocal(a: np.ndarray) -> np.ndarray:
    """``2 / (1 + a)`` in Q2 of ``a`` in Q0 and ``[0, 1]``: three steps of Newton's method."""
    half = (a + _ONE + 1) >> 1
    x = _48_OVER_17 + multiply(half, _MINUS_32_OVER_17)
    for _ in range(3):
        error = (1 << 29) - multiply(half, x)
        x = x + saturating_shift(multiply(x, error), 2)
    return x


def reciprocal_of_one_plus(a: np.ndarray) -> np.ndarray:
    """``1 / (1 + a)`` in Q0 of ``a`` in Q0 and ``[0, 1]``."""
    # Halving moves the point, Q2 to Q1; one bit is left to shift.
    return saturating_shift(_half_reciprocal(a), 1)


def logistic(a: np.ndarray, integer_bits: int) -> np.ndarray:
    """``1 / (1 + exp(-a))`` in Q0."""
    positive = reciprocal_of_one_plus(exp_on_negative_values(-np.abs(a), integer_bits))
    result = np.where(a > 0, positive, _ONE - positive)
    return np.where(a == 0, 1 << 30, result)


def tanh(a: np.ndarray, integer_bits: int) -> np.ndarray:
    """``tanh(a)`` in Q0: ``(1 - e) / (1 + e)`` with ``e = exp(-2 |a|)``."""
    # Doubling moves the point: the same bits with one integer bit more.
    e = exp_on_negative_values(-np.abs(a), integer_bits + 1)
    size = saturating_shift(_half_reciprocal(e) - (1 << 29), 2)
    return np.where(a == 0, 0, np.where(a < 0, -size, size))
