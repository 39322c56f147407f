"""16x8 products in C; each equals its namesake in :mod:`kdq_ref.intref`."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdq_ref import operands
from kdq_ref.checks import check_array
from kdq_ref.kernels.buffers import contiguous, pointer, scratch
from kdq_ref.kernels.core import ffi, lib
from kdq_ref.kernels.dispatch import kernel_for
from kdq_ref.rounding import Requant16x8, channels_of_16x8


def gemm_16x8(a: np.ndarray, b: np.ndarray, *, isa: str | None = None) -> np.ndarray:
    """:func:`kdq_ref.intref.gemm_16x8`: (M, K) int16 times (K, N) int8 is (M, N) int64, exactly.

    ``isa="ref"`` is three plain loops. Kernels that multiply only int8 leave the work to the best
    one of their instruction set that multiplies int16.
    """
    kernel = kernel_for(isa)
    m, _, n = operands.gemm_16x8_shape(a, b)
    c = np.empty((m, n), np.int64)
    _multiply(kernel, np.asarray(a), np.asarray(b), None, None, c)
    return c


def dense_16x8(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    *,
    requant: Requant16x8,
    isa: str | None = None,
) -> np.ndarray:
    """:func:`kdq_ref.intref.dense_16x8`: (B, K) int16 to (B, N) int16; ``isa`` as above."""
    kernel = kernel_for(isa)
    x = check_array("x", x, dtype=np.int16, ndim=2)
    (n,) = operands.dense_16x8_shape(x.shape[1:], weight, bias, channels=channels_of_16x8(requant))
    y = np.empty((len(x), n), np.int16)
    _multiply(kernel, x, np.asarray(weight), np.asarray(bias), requant, y)
    return y


def requantize_16x8(acc: np.ndarray, requant: Requant16x8, *, isa: str | None = None) -> np.ndarray:
    """:func:`kdq_ref.intref.requantize_16x8`: (..., C) int64 accumulators to int16."""
    kernel = kernel_for(isa)
    acc = operands.check_acc_16x8(acc)
    channels = acc.shape[-1] if acc.ndim else 1
    operands.check_channels(channels_of_16x8(requant), channels)
    y = np.empty(acc.shape, np.int16)
    _requantize(kernel, requant, contiguous(acc), channels, y)
    return y


def _multiply(
    kernel: Any,
    a: np.ndarray,
    b: np.ndarray,
    bias: np.ndarray | None,
    requant: Requant16x8 | None,
    out: np.ndarray,
) -> None:
    """Fill ``out`` with ``bias + a @ b``: int64 sums, or int16 if there is a ``requant``."""
    (m, k), n = a.shape, b.shape[1]
    rows, weight = pointer(contiguous(a)), contiguous(b)
    start = ffi.NULL if bias is None else pointer(contiguous(bias))
    if kernel == lib.kdq_kernel_ref():
        acc = out if requant is None else np.empty((m, n), np.int64)
        lib.kdq_gemm_s16s64_ref(m, n, k, rows, k, pointer(weight), n, start, pointer(acc), n)
        if requant is not None:
            _requantize(kernel, requant, acc, n, out)
        return
    handle = ffi.new("kdq_weights_s16 *", (kernel, k, n, ffi.NULL))
    data = scratch(lib.kdq_weights_s16_bytes(handle))
    handle.data = data
    lib.kdq_pack_weights_s16(handle, pointer(weight), n)
    work = scratch(lib.kdq_gemm_s16_scratch_bytes(handle, m))
    if requant is None:
        lib.kdq_gemm_s16s64(handle, start, m, rows, k, pointer(out), n, work)
    else:
        keep: list[Any] = []
        constants = _requant_struct(requant, keep)
        lib.kdq_gemm_s16s16(handle, start, m, rows, k, constants, pointer(out), n, work)


def _requantize(
    kernel: Any, requant: Requant16x8, acc: np.ndarray, channels: int, y: np.ndarray
) -> None:
    rows = acc.size // channels if channels else 0
    keep: list[Any] = []
    constants = _requant_struct(requant, keep)
    lib.kdq_requantize_s16_with(
        kernel, constants, rows, channels, pointer(acc), channels, pointer(y), channels
    )


def _requant_struct(requant: Requant16x8, keep: list[Any]) -> Any:
    multiplier = pointer(contiguous(requant.constants.multiplier))
    exponent = pointer(contiguous(requant.constants.exponent))
    keep += (multiplier, exponent)
    return ffi.new(
        "kdq_requant_s16 *",
        {
            "rule": requant.rule.c_id,
            "channel_step": int(requant.channels > 1),
            "qmin": requant.qmin,
            "qmax": requant.qmax,
            "multiplier": multiplier,
            "exponent": exponent,
        },
    )
