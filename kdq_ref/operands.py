"""What the integer operators accept, and the shape each returns.

The NumPy specification, the C kernels and the integer graph all check their operands here, so that
they cannot disagree about what is legal. Shapes are per sample: the batch axis is left out.
``channels`` is how many channels the operator's requantization constants describe (1 = all alike).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kdq_ref.checks import check_array, check_in_range, check_int
from kdq_ref.errors import DTypeError, RangeError, ShapeError
from kdq_ref.geometry import Padding, Pair, window_output

Shape = tuple[int, ...]

MAX_K = 131_071
"""Longest dot product of two int8 vectors that int32 holds: ``128 * 128 * K < 2**31``."""
ACC_LIMIT_16X8 = 2**47
"""Accumulators of 16x8 are in ``[-2**47, 2**47)``: their product with 15 bits fits int64."""
MAX_BIAS_16X8 = ACC_LIMIT_16X8 - 2**39
"""Largest bias of 16x8: ``2**15 * 2**7 * MAX_K < 2**39`` more is inside the limit."""
MAX_ADD_MULTIPLIER = 1 << 20
"""Largest weight of an addend: two times ``255 * 2**20`` stays far inside int32."""
MAX_STEP = 2**31 - 1
"""Largest size, stride, dilation or padding of a window: what the C core can be told."""
MAX_PADDED = 1 << 28
"""Most pixels of a padded image: the specification holds it in memory."""
MAX_WINDOW = (1 << 23) - 1
"""Most elements an average may sum: ``255 * 2**23`` stays inside int32."""
SOFTMAX_ONE = 1 << 30
"""The exponential of 0 in a table of softmax: the largest power of two that int32 holds."""
MAX_CLASSES = 1 << 16
"""Longest row of a softmax: the rounding of the table is worth at most 1/128 of a code then."""

# Python floats: comparing a huge scale with a NumPy float32 would overflow.
_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
_LARGEST_SCALE = float(np.finfo(np.float32).max)


def check_batch(name: str, x: np.ndarray, ndim: int | None = None) -> np.ndarray:
    """Return ``x`` as an int8 array of ``ndim`` axes (any number by default), the batch first."""
    x = check_array(name, x, dtype=np.int8, ndim=ndim)
    if x.ndim == 0:
        raise ShapeError(f"{name} must have a batch axis, got a single number")
    return x


def check_zero_point(name: str, value: int) -> int:
    """Return a zero point inside int8."""
    return check_int(name, value, -128, 127)


def check_channels(channels: int, wanted: int) -> None:
    """Check that requantization constants fit the output channels."""
    if channels not in (1, wanted):
        raise ShapeError(
            f"requant describes {channels} channels, but the output has {wanted}; "
            f"it must be {wanted}, or 1 for all"
        )


def gemm_shape(a: np.ndarray, b: np.ndarray) -> tuple[int, int, int]:
    """Check ``a`` : (M, K) int8 and ``b`` : (K, N) int8; return (M, K, N)."""
    a = check_array("a", a, dtype=np.int8, ndim=2)
    b = check_array("b", b, dtype=np.int8, shape=(a.shape[1], None))
    _check_depth(a.shape[1])
    return a.shape[0], a.shape[1], b.shape[1]


def dense_shape(
    shape: Shape, weight: np.ndarray, bias: np.ndarray, *, x_zero_point: int, channels: int
) -> Shape:
    """(K,) -> (N,), with ``weight`` : (K, N) int8 and ``bias`` : (N,) int32."""
    if len(shape) != 1:
        raise ShapeError(f"dense needs vectors, got samples of shape {shape}; flatten first")
    weight = check_array("weight", weight, dtype=np.int8, shape=(shape[0], None))
    _check_depth(shape[0])
    _check_outputs(bias, weight.shape[1], x_zero_point, channels)
    return (weight.shape[1],)


def gemm_16x8_shape(a: np.ndarray, b: np.ndarray) -> tuple[int, int, int]:
    """Check ``a`` : (M, K) int16 and ``b`` : (K, N) int8; return (M, K, N)."""
    a = check_array("a", a, dtype=np.int16, ndim=2)
    b = check_array("b", b, dtype=np.int8, shape=(a.shape[1], None))
    _check_depth_16x8(a.shape[1])
    return a.shape[0], a.shape[1], b.shape[1]


def dense_16x8_shape(shape: Shape, weight: np.ndarray, bias: np.ndarray, *, channels: int) -> Shape:
    """(K,) -> (N,), with ``weight`` : (K, N) int8 and ``bias`` : (N,) int64."""
    weight = check_array("weight", weight, dtype=np.int8, shape=(*shape, None))
    _check_depth_16x8(weight.shape[0])
    bias = check_array("bias", bias, dtype=np.int64, shape=(weight.shape[1],))
    if bias.size:
        check_in_range("the least bias", int(bias.min()), -MAX_BIAS_16X8)
        check_in_range("the largest bias", int(bias.max()), None, MAX_BIAS_16X8)
    check_channels(channels, weight.shape[1])
    return (weight.shape[1],)


def check_acc_16x8(acc: np.ndarray) -> np.ndarray:
    """Return ``acc`` as an int64 array whose elements are in ``[-2**47, 2**47)``."""
    acc = check_array("acc", acc, dtype=np.int64)
    if acc.size:
        check_in_range("the least accumulator", int(acc.min()), -ACC_LIMIT_16X8)
        check_in_range("the largest accumulator", int(acc.max()), None, ACC_LIMIT_16X8 - 1)
    return acc


def conv2d_shape(
    shape: Shape,
    weight: np.ndarray,
    bias: np.ndarray,
    *,
    x_zero_point: int,
    channels: int,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Shape:
    """(H, W, C) -> (OH, OW, O), with ``weight`` : (kh, kw, C/groups, O) int8."""
    height, width, c_in = _image(shape)
    _check_plain("groups", groups, 1, None)
    weight = check_array("weight", weight, dtype=np.int8, ndim=4)
    kh, kw, c_group, c_out = weight.shape
    if c_group * groups != c_in or c_out % groups:
        raise ShapeError(
            f"weight of shape {weight.shape} with groups={groups} does not fit {c_in} input "
            f"channels: it needs (kh, kw, {c_in}/groups, a multiple of groups)"
        )
    _check_depth(kh * kw * c_group)
    _check_outputs(bias, c_out, x_zero_point, channels)
    out = _window((height, width), (kh, kw), stride, padding, dilation)
    return (*out, c_out)


def depthwise_conv2d_shape(
    shape: Shape,
    weight: np.ndarray,
    bias: np.ndarray,
    *,
    x_zero_point: int,
    channels: int,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
) -> Shape:
    """(H, W, C) -> (OH, OW, C*m), with ``weight`` : (kh, kw, 1, C*m) int8."""
    return conv2d_shape(
        shape,
        weight,
        bias,
        x_zero_point=x_zero_point,
        channels=channels,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=_image(shape)[2],
    )


def max_pool2d_shape(shape: Shape, *, kernel: Pair, stride: Pair, padding: Padding) -> Shape:
    """(H, W, C) -> (OH, OW, C); every window holds at least one real element."""
    height, width, channels = _image(shape)
    _check_window(kernel, stride, padding, (1, 1))
    top, bottom, left, right = padding
    if max(top, bottom) >= kernel[0] or max(left, right) >= kernel[1]:
        raise ShapeError(
            f"padding {padding} must be smaller than the pooling window {kernel}: "
            f"a window of padding alone has no value"
        )
    return (*_window((height, width), kernel, stride, padding, (1, 1)), channels)


def avg_pool2d_shape(
    shape: Shape,
    *,
    kernel: Pair,
    stride: Pair,
    padding: Padding,
    x_zero_point: int,
    channels: int,
) -> Shape:
    """(H, W, C) -> (OH, OW, C), with one set of requantization constants."""
    _check_window(kernel, stride, padding, (1, 1))
    check_int("kernel area", kernel[0] * kernel[1], 1, MAX_WINDOW)
    _check_single(x_zero_point, channels)
    return max_pool2d_shape(shape, kernel=kernel, stride=stride, padding=padding)


def global_avg_pool_shape(shape: Shape, *, x_zero_point: int, channels: int) -> Shape:
    """(H, W, C) -> (C,), with one set of requantization constants."""
    height, width, c_in = _image(shape)
    check_int("image area", height * width, 1, MAX_WINDOW)
    _check_single(x_zero_point, channels)
    return (c_in,)


def add_shape(
    a_shape: Shape,
    b_shape: Shape,
    *,
    a_zero_point: int,
    b_zero_point: int,
    a_multiplier: int,
    b_multiplier: int,
    channels: int,
) -> Shape:
    """Two equal shapes -> the same shape; no broadcasting."""
    if a_shape != b_shape:
        raise ShapeError(f"add needs two equal shapes, got {a_shape} and {b_shape}")
    check_zero_point("a_zero_point", a_zero_point)
    check_zero_point("b_zero_point", b_zero_point)
    check_int("a_multiplier", a_multiplier, 0, MAX_ADD_MULTIPLIER)
    check_int("b_multiplier", b_multiplier, 0, MAX_ADD_MULTIPLIER)
    check_channels(channels, 1)
    return a_shape


def lookup_shape(shape: Shape, table: np.ndarray) -> Shape:
    """Any shape -> the same shape, with ``table`` : (256,) int8."""
    check_array("table", table, dtype=np.int8, shape=(256,))
    return shape


def flatten_shape(shape: Shape) -> Shape:
    """Any shape -> its product."""
    return (int(np.prod(shape, dtype=np.int64)),)


def check_classes(q: np.ndarray) -> np.ndarray:
    """Return ``q`` : (B, C) int8 with at least one class."""
    q = check_array("q", q, dtype=np.int8, ndim=2)
    if q.shape[1] == 0:
        raise ShapeError(f"argmax of no classes is undefined, got shape {q.shape}")
    return q


def softmax_shape(shape: Shape, table: np.ndarray) -> Shape:
    """(..., C) -> (..., C), C in [1, MAX_CLASSES]; ``table`` : (256,) int32 falls from 2**30."""
    if not shape or not 1 <= shape[-1] <= MAX_CLASSES:
        raise ShapeError(
            f"softmax needs a last axis of 1 to {MAX_CLASSES} classes, got shape {tuple(shape)}"
        )
    table = check_array("table", table, dtype=np.int32, shape=(256,))
    if table[0] != SOFTMAX_ONE or table[-1] < 0 or (table[1:] > table[:-1]).any():
        raise RangeError(
            f"table must start with 2**30 and never rise or become negative, got {table[0]} to "
            f"{table[-1]}; make it with intref.softmax_table"
        )
    return shape


def check_scale(scale: float) -> float:
    """Return a scale that is positive, finite and normal in float32."""
    try:
        fits = _SMALLEST_SCALE <= scale <= _LARGEST_SCALE
    except TypeError:
        raise DTypeError(f"scale must be a number, got {scale!r}") from None
    if not fits:
        raise RangeError(f"scale must be a positive, finite, normal float32, got {scale!r}")
    return float(scale)


def _image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ShapeError(f"expected samples of shape (H, W, C), got {shape}")
    return shape[0], shape[1], shape[2]


def _check_depth(k: int) -> None:
    if k > MAX_K:
        raise ShapeError(
            f"a dot product of {k} int8 pairs may leave int32; at most {MAX_K} are allowed"
        )


def _check_depth_16x8(k: int) -> None:
    if k > MAX_K:
        raise ShapeError(
            f"a dot product of {k} int16 and int8 pairs may leave the 48 bits that 16x8 "
            f"requantization takes; at most {MAX_K} are allowed"
        )


def _check_outputs(bias: np.ndarray, c_out: int, x_zero_point: int, channels: int) -> None:
    check_array("bias", bias, dtype=np.int32, shape=(c_out,))
    check_zero_point("x_zero_point", x_zero_point)
    check_channels(channels, c_out)


def _check_single(x_zero_point: int, channels: int) -> None:
    check_zero_point("x_zero_point", x_zero_point)
    check_channels(channels, 1)


def _check_window(kernel: Pair, stride: Pair, padding: Padding, dilation: Pair) -> None:
    for name, pair in (("kernel", kernel), ("stride", stride), ("dilation", dilation)):
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            raise ShapeError(f"{name} must be (h, w), got {pair!r}")
        for value in pair:
            _check_plain(name, value, 1, MAX_STEP)
    if not (isinstance(padding, tuple | list) and len(padding) == 4):
        raise ShapeError(f"padding must be (top, bottom, left, right), got {padding!r}")
    for value in padding:
        _check_plain("padding", value, 0, MAX_STEP)


def _check_plain(name: str, value: Any, low: int, high: int | None) -> None:
    if isinstance(value, np.generic):
        raise DTypeError(
            f"{name} must hold Python's int, not {type(value).__name__}, whose arithmetic wraps "
            f"around; pass int(...)"
        )
    check_int(name, value, low, high)


def _window(size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair) -> Pair:
    _check_window(kernel, stride, padding, dilation)
    height, width = size[0] + padding[0] + padding[1], size[1] + padding[2] + padding[3]
    if height * width > MAX_PADDED:
        raise ShapeError(
            f"an image of {size[0]}x{size[1]} padded by {padding} has {height * width} pixels; "
            f"at most {MAX_PADDED} are allowed"
        )
    return window_output(size, kernel, stride, padding, dilation)
