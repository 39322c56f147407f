"""16x8: products of int16 activations and int8 weights, summed in int64."""

from __future__ import annotations

import numpy as np

from kdq_ref import operands
from kdq_ref.checks import check_array
from kdq_ref.rounding import Requant16x8, channels_of_16x8


def gemm_16x8(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Exact product of an int16 and an int8 matrix: the accumulators of :func:`dense_16x8`.

    Parameters
    ----------
    a : (M, K) int16 ndarray
    b : (K, N) int8 ndarray

    Returns
    -------
    (M, N) int64 ndarray
        Below ``2**39`` in magnitude.

    Raises
    ------
    DTypeError, ShapeError
        Also where ``K`` exceeds 131,071.
    """
    operands.gemm_16x8_shape(a, b)
    return a.astype(np.int64) @ b.astype(np.int64)


def dense_16x8(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, *, requant: Requant16x8
) -> np.ndarray:
    """Affine map: ``requant(sum_k x[k] * weight[k, n] + bias[n])``, everything symmetric.

    TensorFlow Lite's fully connected operator with int16 activations, int8 weights and int64
    biases (``reference_integer_ops::FullyConnected`` with ``int64_t`` accumulators).

    Parameters
    ----------
    x : (B, K) int16 ndarray
    weight : (K, N) int8 ndarray
    bias : (N,) int64 ndarray
        At most ``2**47 - 2**39`` in magnitude: then no accumulator leaves the 48 bits that
        ``requant`` takes.
    requant : Requant16x8

    Returns
    -------
    (B, N) int16 ndarray

    Raises
    ------
    DTypeError, ShapeError, RangeError
    """
    x = check_array("x", x, dtype=np.int16, ndim=2)
    operands.dense_16x8_shape(x.shape[1:], weight, bias, channels=channels_of_16x8(requant))
    return requant.apply(x.astype(np.int64) @ weight.astype(np.int64) + bias)


def requantize_16x8(acc: np.ndarray, requant: Requant16x8) -> np.ndarray:
    """Map accumulators (..., C) int64 to int16 values: ``requant.apply``.

    Raises
    ------
    DTypeError, ShapeError, RangeError
        Also where an accumulator is outside ``[-2**47, 2**47)``.
    """
    channels_of_16x8(requant)
    return requant.apply(acc)
