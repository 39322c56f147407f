"""Pooling in C; each equals its namesake in :mod:`kdq_ref.intref`."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdq_ref import operands
from kdq_ref.geometry import Padding, Pair
from kdq_ref.kernels.buffers import contiguous, pointer, requant_struct, window_struct
from kdq_ref.kernels.core import lib
from kdq_ref.kernels.dispatch import kernel_for
from kdq_ref.rounding import Requant, channels_of


def max_pool2d(
    x: np.ndarray, *, kernel: Pair, stride: Pair, padding: Padding, isa: str | None = None
) -> np.ndarray:
    """:func:`kdq_ref.intref.max_pool2d`: (B, H, W, C) int8 to (B, OH, OW, C) int8."""
    chosen = kernel_for(isa)
    x = operands.check_batch("x", x, 4)
    out_shape = operands.max_pool2d_shape(
        x.shape[1:], kernel=kernel, stride=stride, padding=padding
    )
    window = window_struct(x.shape[1:], out_shape, kernel, stride, padding)
    y = np.empty((len(x), *out_shape), np.int8)
    lib.kdq_max_pool2d(chosen, window, len(x), pointer(contiguous(x)), pointer(y))
    return y


def avg_pool2d(
    x: np.ndarray,
    *,
    kernel: Pair,
    stride: Pair,
    padding: Padding,
    x_zero_point: int,
    requant: Requant,
    isa: str | None = None,
) -> np.ndarray:
    """:func:`kdq_ref.intref.avg_pool2d`: (B, H, W, C) int8 to (B, OH, OW, C) int8."""
    chosen = kernel_for(isa)
    x = operands.check_batch("x", x, 4)
    out_shape = operands.avg_pool2d_shape(
        x.shape[1:],
        kernel=kernel,
        stride=stride,
        padding=padding,
        x_zero_point=x_zero_point,
        channels=channels_of(requant),
    )
    y = np.empty((len(x), *out_shape), np.int8)
    window = window_struct(x.shape[1:], out_shape, kernel, stride, padding)
    _average(chosen, window, x, x_zero_point, requant, y)
    return y


def global_avg_pool(
    x: np.ndarray, *, x_zero_point: int, requant: Requant, isa: str | None = None
) -> np.ndarray:
    """:func:`kdq_ref.intref.global_avg_pool`: (B, H, W, C) int8 to (B, C) int8."""
    chosen = kernel_for(isa)
    x = operands.check_batch("x", x, 4)
    operands.global_avg_pool_shape(
        x.shape[1:], x_zero_point=x_zero_point, channels=channels_of(requant)
    )
    y = np.empty((len(x), x.shape[3]), np.int8)
    window = window_struct(x.shape[1:], (1, 1, x.shape[3]), x.shape[1:3])
    _average(chosen, window, x, x_zero_point, requant, y)
    return y


def _average(
    chosen: Any, window: Any, x: np.ndarray, x_zero_point: int, requant: Requant, y: np.ndarray
) -> None:
    keep: list[Any] = []
    lib.kdq_avg_pool2d(
        chosen,
        window,
        len(x),
        pointer(contiguous(x)),
        x_zero_point,
        requant_struct(requant, keep),
        pointer(y),
    )
