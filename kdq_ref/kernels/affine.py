"""Dense and convolution in C; each equals its namesake in :mod:`kdq_ref.intref`."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdq_ref import operands
from kdq_ref.geometry import Padding, Pair
from kdq_ref.int4 import Int4Array, as_int8
from kdq_ref.kernels.buffers import contiguous, pointer, requant_struct, scratch, window_struct
from kdq_ref.kernels.core import lib
from kdq_ref.kernels.dispatch import kernel_for
from kdq_ref.kernels.packing import fitting_form, fold_bias, pack_weights
from kdq_ref.rounding import Requant, channels_of


def gemm(a: np.ndarray, b: np.ndarray, *, isa: str | None = None) -> np.ndarray:
    """:func:`kdq_ref.intref.gemm`: (M, K) int8 times (K, N) int8 is (M, N) int32, exactly.

    ``isa="ref"`` is ``csrc/gemm_ref.c``: three loops, nothing packed.
    """
    kernel = kernel_for(isa)
    m, k, n = operands.gemm_shape(a, b)
    a, b = contiguous(np.asarray(a)), contiguous(np.asarray(b))
    c = np.empty((m, n), np.int32)
    if kernel == lib.kdq_kernel_ref():
        lib.kdq_gemm_s8s32_ref(m, n, k, pointer(a), k, pointer(b), n, pointer(c), n)
        return c
    packed = pack_weights(kernel, b)
    work = scratch(lib.kdq_gemm_scratch_bytes(packed.handle, m))
    lib.kdq_gemm_s8s32(packed.handle, m, pointer(a), k, pointer(c), n, work)
    return c


def dense(
    x: np.ndarray,
    weight: np.ndarray | Int4Array,
    bias: np.ndarray,
    *,
    x_zero_point: int,
    requant: Requant,
    isa: str | None = None,
    form: str | None = None,
) -> np.ndarray:
    """:func:`kdq_ref.intref.dense`: (B, K) int8 to (B, N) int8.

    ``form`` is as in :func:`conv2d`.

    Accumulators that leave int32 are the caller's to exclude (:mod:`kdq_ref.infer` proves it).
    """
    kernel = kernel_for(isa)
    x, weight = operands.check_batch("x", x, 2), as_int8(weight)
    (n,) = operands.dense_shape(
        x.shape[1:], weight, bias, x_zero_point=x_zero_point, channels=channels_of(requant)
    )
    y = np.empty((len(x), n), np.int8)
    window = window_struct((1, 1, x.shape[1]), (1, 1, n))
    weight = np.asarray(weight)
    form = fitting_form(kernel, window, weight, form, default="compact")
    _convolve(kernel, window, x, weight, bias, x_zero_point, requant, 1, form, y)
    return y


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
    isa: str | None = None,
    form: str | None = None,
) -> np.ndarray:
    """:func:`kdq_ref.intref.conv2d`: (B, H, W, C) int8 to (B, OH, OW, O) int8.

    ``form`` is how weights are held, of :data:`kdq_ref.kernels.packing.FORMS`: by default what
    suits the shape. It changes no bit.

    Accumulators that leave int32 are the caller's to exclude (:mod:`kdq_ref.infer` proves it).
    """
    kernel = kernel_for(isa)
    x, weight = operands.check_batch("x", x, 4), as_int8(weight)
    out_shape = operands.conv2d_shape(
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
    weight = np.asarray(weight)
    window = window_struct(
        x.shape[1:], out_shape, weight.shape[:2], stride, padding, dilation, groups
    )
    matrix = as_matrix(weight)
    form = fitting_form(kernel, window, matrix, form, default="wide")
    y = np.empty((len(x), *out_shape), np.int8)
    _convolve(kernel, window, x, matrix, bias, x_zero_point, requant, groups, form, y)
    return y


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
    isa: str | None = None,
) -> np.ndarray:
    """:func:`kdq_ref.intref.depthwise_conv2d`: (B, H, W, C) int8 to (B, OH, OW, C*m) int8.

    Accumulators that leave int32 are the caller's to exclude (:mod:`kdq_ref.infer` proves it).
    """
    kernel = kernel_for(isa)
    x = operands.check_batch("x", x, 4)
    out_shape = operands.depthwise_conv2d_shape(
        x.shape[1:],
        weight,
        bias,
        x_zero_point=x_zero_point,
        channels=channels_of(requant),
        stride=stride,
        padding=padding,
        dilation=dilation,
    )
    weight = contiguous(np.asarray(weight))
    window = window_struct(x.shape[1:], out_shape, weight.shape[:2], stride, padding, dilation)
    folded = fold_bias(as_matrix(weight), np.asarray(bias), x_zero_point)
    y = np.empty((len(x), *out_shape), np.int8)
    keep: list[Any] = []
    lib.kdq_depthwise_conv2d(
        kernel,
        window,
        len(x),
        pointer(contiguous(x)),
        x_zero_point,
        pointer(weight),
        pointer(folded),
        requant_struct(requant, keep),
        pointer(y),
        scratch(lib.kdq_depthwise_scratch_bytes(window)),
    )
    return y


def as_matrix(weight: np.ndarray) -> np.ndarray:
    """View a convolution's (kh, kw, c, o) weight as the (K, N) matrix of its product."""
    kh, kw, c, o = weight.shape
    return weight.reshape(kh * kw * c, o)


def _convolve(
    kernel: Any,
    window: Any,
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    x_zero_point: int,
    requant: Requant,
    groups: int,
    form: str,
    y: np.ndarray,
) -> None:
    """Fill ``y`` with the convolution of ``x`` by ``weight`` : (K, N)."""
    packed = pack_weights(
        kernel,
        weight,
        np.asarray(bias),
        x_zero_point=x_zero_point,
        groups=groups,
        segments=lib.kdq_conv2d_segments(window),
        form=form,
    )
    keep: list[Any] = []
    lib.kdq_conv2d(
        window,
        len(x),
        pointer(contiguous(x)),
        x_zero_point,
        packed.handle,
        requant_struct(requant, keep),
        pointer(y),
        scratch(lib.kdq_conv2d_scratch_bytes(window, len(x), packed.handle)),
    )
