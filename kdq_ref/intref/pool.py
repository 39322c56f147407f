"""Pooling: the maximum of codes, or the requantized sum of a window."""

from __future__ import annotations

import numpy as np

from kdq_ref import operands
from kdq_ref.geometry import Padding, Pair
from kdq_ref.intref.window import window_slices
from kdq_ref.rounding import Requant, channels_of


def max_pool2d(x: np.ndarray, *, kernel: Pair, stride: Pair, padding: Padding) -> np.ndarray:
    """Largest code of each window; scale and zero point stay the input's.

    Parameters
    ----------
    x : (B, H, W, C) int8 ndarray
    kernel, stride : (int, int)
    padding : (top, bottom, left, right)
        Smaller than the kernel; padded positions never win.

    Returns
    -------
    (B, OH, OW, C) int8 ndarray
    """
    x = operands.check_batch("x", x, 4)
    oh, ow, channels = operands.max_pool2d_shape(
        x.shape[1:], kernel=kernel, stride=stride, padding=padding
    )
    largest = np.full((len(x), oh, ow, channels), -128, np.int8)
    for _, tap in window_slices(x, -128, kernel, stride, padding, (1, 1), (oh, ow)):
        np.maximum(largest, tap, out=largest)
    return largest


def avg_pool2d(
    x: np.ndarray,
    *,
    kernel: Pair,
    stride: Pair,
    padding: Padding,
    x_zero_point: int,
    requant: Requant,
) -> np.ndarray:
    """Average of each window: ``requant(sum (x - x_zero_point))``.

    The division by ``kh * kw`` (padded positions count, and are zero) is part of the requantization
    multiplier ``s_x / (s_y * kh * kw)``, so there is one rounding.

    Parameters
    ----------
    x : (B, H, W, C) int8 ndarray
    kernel, stride : (int, int)
    padding : (top, bottom, left, right)
    x_zero_point : int
    requant : Requant
        With one set of constants.

    Returns
    -------
    (B, OH, OW, C) int8 ndarray
    """
    x = operands.check_batch("x", x, 4)
    oh, ow, channels = operands.avg_pool2d_shape(
        x.shape[1:],
        kernel=kernel,
        stride=stride,
        padding=padding,
        x_zero_point=x_zero_point,
        channels=channels_of(requant),
    )
    acc = np.zeros((len(x), oh, ow, channels), np.int64)
    centred = x.astype(np.int64) - x_zero_point
    for _, tap in window_slices(centred, 0, kernel, stride, padding, (1, 1), (oh, ow)):
        acc += tap
    return requant.apply(acc)


def global_avg_pool(x: np.ndarray, *, x_zero_point: int, requant: Requant) -> np.ndarray:
    """Average over height and width: ``requant(sum (x - x_zero_point))``.

    Parameters
    ----------
    x : (B, H, W, C) int8 ndarray
    x_zero_point : int
    requant : Requant
        With one set of constants, the multiplier being ``s_x / (s_y * H * W)``.

    Returns
    -------
    (B, C) int8 ndarray
    """
    x = operands.check_batch("x", x, 4)
    operands.global_avg_pool_shape(
        x.shape[1:], x_zero_point=x_zero_point, channels=channels_of(requant)
    )
    return requant.apply((x.astype(np.int64) - x_zero_point).sum(axis=(1, 2)))
