"""Residual addition, look-up tables, flatten and argmax."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kdq_ref import operands
from kdq_ref.errors import ShapeError
from kdq_ref.intref.quantization import quantize
from kdq_ref.rounding import Requant, channels_of


def add(
    a: np.ndarray,
    b: np.ndarray,
    *,
    a_zero_point: int,
    b_zero_point: int,
    a_multiplier: int,
    b_multiplier: int,
    requant: Requant,
) -> np.ndarray:
    """Sum of two tensors with different scales, rounded once.

    ``requant((a - a_zero_point) * a_multiplier + (b - b_zero_point) * b_multiplier)``, where
    lowering sets ``multiplier = rne(scale / max(scales) * 2**20)``: no accumulator leaves int32.

    Parameters
    ----------
    a, b : (B, ...) int8 ndarray
        Of one shape.
    a_zero_point, b_zero_point : int
    a_multiplier, b_multiplier : int
        In ``[0, 2**20]``.
    requant : Requant
        With one set of constants.

    Returns
    -------
    (B, ...) int8 ndarray
    """
    a = operands.check_batch("a", a)
    b = operands.check_batch("b", b)
    operands.add_shape(
        a.shape,
        b.shape,
        a_zero_point=a_zero_point,
        b_zero_point=b_zero_point,
        a_multiplier=a_multiplier,
        b_multiplier=b_multiplier,
        channels=channels_of(requant),
    )
    acc = (a.astype(np.int64) - a_zero_point) * a_multiplier
    acc += (b.astype(np.int64) - b_zero_point) * b_multiplier
    return requant.apply(acc)


def lookup(x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Any function of one code: ``table[x + 128]``.

    Parameters
    ----------
    x : int8 ndarray
    table : (256,) int8 ndarray

    Returns
    -------
    int8 ndarray of ``x``'s shape
    """
    x = operands.check_batch("x", x)
    operands.lookup_shape(x.shape, table)
    return np.asarray(table)[x.astype(np.intp) + 128]


def lookup_table(
    function: Callable[[np.ndarray], np.ndarray],
    *,
    x_scale: float,
    x_zero_point: int,
    scale: float,
    zero_point: int,
) -> np.ndarray:
    """Codes of a real function at every code: ``quantize(function(x_scale * (q - x_zero_point)))``.

    In float64 until it is quantized; what is beyond float32 counts as its largest number.

    Parameters
    ----------
    function : callable
        From (256,) float64 to as many.
    x_scale, scale : float
    x_zero_point, zero_point : int

    Returns
    -------
    (256,) int8 ndarray
        For the codes from -128 to 127.

    Raises
    ------
    DTypeError, RangeError, ShapeError, NotFiniteError
    """
    operands.check_scale(x_scale)
    x_zero_point = operands.check_zero_point("x_zero_point", x_zero_point)
    codes, limit = np.arange(-128, 128, dtype=np.float64), np.finfo(np.float32).max
    with np.errstate(over="ignore"):
        real = np.asarray(function(x_scale * (codes - x_zero_point)), np.float64)
    if real.shape != codes.shape:
        raise ShapeError(f"the function must return (256,) values, got shape {real.shape}")
    real = real.clip(-limit, limit)
    return quantize(real.astype(np.float32), scale=scale, zero_point=zero_point)


def flatten(x: np.ndarray) -> np.ndarray:
    """(B, ...) -> (B, prod), row-major: an image's channels vary fastest."""
    x = operands.check_batch("x", x)
    return np.ascontiguousarray(x).reshape(len(x), *operands.flatten_shape(x.shape[1:]))


def argmax(q: np.ndarray) -> np.ndarray:
    """Index of the largest code of each row, the first one on a tie.

    Parameters
    ----------
    q : (B, C) int8 ndarray
        With C of at least 1.

    Returns
    -------
    (B,) int64 ndarray
    """
    q = operands.check_classes(q)
    return q.argmax(axis=1).astype(np.int64)
