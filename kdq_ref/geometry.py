"""Sizes of sliding windows: what convolution and pooling do to height and width.

Used by the float functions, the integer specification and the kernels alike, so that they cannot
disagree about a shape. Sizes are always ``(height, width)``; padding is always
``(top, bottom, left, right)``.
"""

from __future__ import annotations

from typing import Any

from kdq_ref.checks import check_int, check_positive_int
from kdq_ref.errors import InvalidArgumentError, ShapeError

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]


def as_pair(name: str, value: Any) -> Pair:
    """Return a positive int, or two of them, as ``(h, w)``."""
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise ShapeError(f"{name} must be an int or (h, w), got {value!r}")
        return check_positive_int(name, value[0]), check_positive_int(name, value[1])
    size = check_positive_int(name, value)
    return size, size


def effective_kernel(kernel: Pair, dilation: Pair = (1, 1)) -> Pair:
    """Extent of a dilated kernel: ``(k - 1) * d + 1`` along each axis."""
    return (kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1


def as_padding(value: Any, kernel: Pair, dilation: Pair = (1, 1)) -> Padding:
    """Return ``(top, bottom, left, right)`` from any accepted way of saying it.

    Parameters
    ----------
    value : "valid", "same", int, (h, w) or (top, bottom, left, right)
        ``"same"`` pads by half the effective kernel on every side, whatever the stride: with
        stride 1 the output has the input's size. It needs an odd effective kernel.
    kernel, dilation : (int, int)

    Raises
    ------
    InvalidArgumentError, ShapeError, RangeError
    """
    if value == "valid":
        return 0, 0, 0, 0
    if value == "same":
        eh, ew = effective_kernel(kernel, dilation)
        if eh % 2 == 0 or ew % 2 == 0:
            raise InvalidArgumentError(
                f"padding 'same' needs an odd effective kernel, got {(eh, ew)}; "
                f"give (top, bottom, left, right) instead"
            )
        return eh // 2, eh // 2, ew // 2, ew // 2
    if isinstance(value, str):
        raise InvalidArgumentError(
            f"padding must be 'valid', 'same', an int, (h, w) or (top, bottom, left, right), "
            f"got {value!r}"
        )
    if isinstance(value, tuple | list):
        parts = [check_int("padding", p, 0) for p in value]
        if len(parts) == 2:
            return parts[0], parts[0], parts[1], parts[1]
        if len(parts) == 4:
            return parts[0], parts[1], parts[2], parts[3]
        raise ShapeError(f"padding must have 2 or 4 parts, got {value!r}")
    size = check_int("padding", value, 0)
    return size, size, size, size


def window_output(
    size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair = (1, 1)
) -> Pair:
    """Output ``(h, w)`` of a sliding window: ``floor((n + pad - effective) / stride) + 1``.

    Raises
    ------
    ShapeError
        If not even one window fits.
    """
    top, bottom, left, right = padding
    eh, ew = effective_kernel(kernel, dilation)
    room_h, room_w = size[0] + top + bottom - eh, size[1] + left + right - ew
    if room_h < 0 or room_w < 0:
        raise ShapeError(
            f"a {eh}x{ew} window does not fit into {size[0]}x{size[1]} padded by {padding}; "
            f"use a smaller kernel or more padding"
        )
    return room_h // stride[0] + 1, room_w // stride[1] + 1
