"""Between real numbers, codes and accumulators in C; each equals its namesake in intref."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdq_ref import operands
from kdq_ref.checks import check_array, check_finite
from kdq_ref.kernels.buffers import contiguous, pointer, requant_struct
from kdq_ref.kernels.core import ffi, lib
from kdq_ref.kernels.dispatch import kernel_for
from kdq_ref.rounding import Requant, channels_of


def quantize(x: np.ndarray, *, scale: float, zero_point: int, isa: str | None = None) -> np.ndarray:
    """:func:`kdq_ref.intref.quantize`: finite float32 to int8."""
    chosen = kernel_for(isa)
    x = check_finite("x", check_array("x", x, dtype=np.float32))
    operands.check_scale(scale)
    operands.check_zero_point("zero_point", zero_point)
    y = np.empty(x.shape, np.int8)
    lib.kdq_quantize(chosen, x.size, pointer(contiguous(x)), scale, zero_point, pointer(y))
    return y


def dequantize(
    q: np.ndarray, *, scale: float, zero_point: int, isa: str | None = None
) -> np.ndarray:
    """:func:`kdq_ref.intref.dequantize`: int8 to float32."""
    chosen = kernel_for(isa)
    q = check_array("q", q, dtype=np.int8)
    operands.check_scale(scale)
    operands.check_zero_point("zero_point", zero_point)
    x = np.empty(q.shape, np.float32)
    lib.kdq_dequantize(chosen, q.size, pointer(contiguous(q)), scale, zero_point, pointer(x))
    return x


def requantize(acc: np.ndarray, requant: Requant, *, isa: str | None = None) -> np.ndarray:
    """:func:`kdq_ref.intref.requantize`: (..., C) int32 accumulators to int8."""
    chosen = kernel_for(isa)
    acc = check_array("acc", acc, dtype=np.int32)
    channels = acc.shape[-1] if acc.ndim else 1
    operands.check_channels(channels_of(requant), channels)
    y = np.empty(acc.shape, np.int8)
    rows = acc.size // channels if channels else 0
    keep: list[Any] = []
    lib.kdq_requantize_with(
        chosen,
        requant_struct(requant, keep),
        rows,
        channels,
        pointer(contiguous(acc)),
        channels,
        ffi.NULL,
        pointer(y),
        channels,
    )
    return y
