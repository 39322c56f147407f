"""Dense and convolution: exact dot products, then the requantization rule."""

from __future__ import annotations

import numpy as np

from kdq_ref import operands
from kdq_ref.geometry import Padding, Pair
from kdq_ref.int4 import Int4Array, as_int8
from kdq_ref.intref.window import window_slices
from kdq_ref.rounding import Requant, channels_of


def gemm(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Exact product of int8 matrices.

    Parameters
    ----------
    a : (M, K) int8 ndarray
    b : (K, N) int8 ndarray

    Returns
    -------
    (M, N) int32 ndarray

    Raises
    ------
    DTypeError, ShapeError
        Also where ``K`` exceeds 131,071 and int32 might overflow.
    """
    operands.gemm_shape(a, b)
    return (a.astype(np.int64) @ b.astype(np.int64)).astype(np.int32)


def dense(
    x: np.ndarray,
    weight: np.ndarray | Int4Array,
    bias: np.ndarray,
    *,
    x_zero_point: int,
    requant: Requant,
) -> np.ndarray:
    """Affine map: ``requant(sum_k (x[k] - x_zero_point) * weight[k, n] + bias[n])``.

    Parameters
    ----------
    x : (B, K) int8 ndarray
    weight : (K, N) int8 ndarray or Int4Array
    bias : (N,) int32 ndarray
    x_zero_point : int
    requant : Requant

    Returns
    -------
    (B, N) int8 ndarray
    """
    x, weight = operands.check_batch("x", x, 2), as_int8(weight)
    operands.dense_shape(
        x.shape[1:], weight, bias, x_zero_point=x_zero_point, channels=channels_of(requant)
    )
    centred = x.astype(np.int64) - x_zero_point
    return requant.apply(centred @ weight.astype(np.int64) + bias)


def conv2d(
    x: np.ndarray,
    weight: np.ndarray | Int4Array,
    bias: np.ndarray,
    *,
    x_zero_point: int,
    requant: Requant,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """2-D convolution (cross-correlation, as every framework computes it).

    Input channels and output channels are split into ``groups`` equal runs; run ``g`` of the output
    sees run ``g`` of the input. Padding is real zero, that is ``x_zero_point``.

    Parameters
    ----------
    x : (B, H, W, C) int8 ndarray
    weight : (kh, kw, C/groups, O) int8 ndarray or Int4Array
    bias : (O,) int32 ndarray
    x_zero_point : int
    requant : Requant
    stride, dilation : (int, int)
    padding : (top, bottom, left, right)
    groups : int

    Returns
    -------
    (B, OH, OW, O) int8 ndarray
    """
    x, weight = operands.check_batch("x", x, 4), as_int8(weight)
    oh, ow, c_out = operands.conv2d_shape(
        x.shape[1:],
        weight,
        bias,
        x_zero_point=x_zero_point,
        channels=channels_of(requant),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    kh, kw, c_group, _ = weight.shape
    taps = window_slices(
        x.astype(np.int64) - x_zero_point, 0, (kh, kw), stride, padding, dilation, (oh, ow)
    )
    acc = np.zeros((len(x), oh, ow, groups, c_out // groups), np.int64)
    for (i, j), tap in taps:
        w = weight[i, j].astype(np.int64).reshape(c_group, groups, c_out // groups)
        for g in range(groups):
            acc[..., g, :] += tap[..., g * c_group : (g + 1) * c_group] @ w[:, g]
    return requant.apply(acc.reshape(len(x), oh, ow, c_out) + bias)


def depthwise_conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    *,
    x_zero_point: int,
    requant: Requant,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
) -> np.ndarray:
    """Each channel convolved by its own ``m`` filters: output ``c*m + j`` reads input ``c``.

    Equal to :func:`conv2d` with as many groups as channels.

    Parameters
    ----------
    x : (B, H, W, C) int8 ndarray
    weight : (kh, kw, 1, C*m) int8 ndarray
    bias : (C*m,) int32 ndarray
    x_zero_point, requant, stride, padding, dilation
        As for :func:`conv2d`.

    Returns
    -------
    (B, OH, OW, C*m) int8 ndarray
    """
    x = operands.check_batch("x", x, 4)
    oh, ow, c_out = operands.depthwise_conv2d_shape(
        x.shape[1:],
        weight,
        bias,
        x_zero_point=x_zero_point,
        channels=channels_of(requant),
        stride=stride,
        padding=padding,
        dilation=dilation,
    )
    repeats = c_out // x.shape[3] if x.shape[3] else 0
    taps = window_slices(
        x.astype(np.int64) - x_zero_point, 0, weight.shape[:2], stride, padding, dilation, (oh, ow)
    )
    acc = np.zeros((len(x), oh, ow, c_out), np.int64)
    for (i, j), tap in taps:
        acc += np.repeat(tap, repeats, axis=-1) * weight[i, j, 0].astype(np.int64)
    return requant.apply(acc + bias)
