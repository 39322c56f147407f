"""From NumPy arrays to what C takes: contiguous memory, pointers, structs.

A pointer keeps the array behind it alive; a struct does not keep its pointers alive, so functions
that fill structs append what must outlive them to a list ``keep``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kdq_ref.checks import check_array, check_int
from kdq_ref.errors import InvalidArgumentError
from kdq_ref.geometry import Padding, Pair
from kdq_ref.kernels.core import ffi
from kdq_ref.rounding import Requant

_C_NAMES = {
    np.dtype(np.int8): "int8_t[]",
    np.dtype(np.uint8): "uint8_t[]",
    np.dtype(np.int16): "int16_t[]",
    np.dtype(np.int32): "int32_t[]",
    np.dtype(np.int64): "int64_t[]",
    np.dtype(np.float32): "float[]",
    np.dtype(np.float64): "double[]",
}
_INT32_MAX = 2**31 - 1


def contiguous(array: np.ndarray) -> np.ndarray:
    """Return the array itself if C can walk it, else a copy that C can."""
    if array.flags.c_contiguous and array.flags.aligned:
        return array
    return array.copy(order="C")


def check_writable(name: str, array: np.ndarray, dtype: np.dtype) -> None:
    """Check that C can write results straight into an array."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        check_array(name, array, dtype=dtype)
    elif array.flags.c_contiguous and array.flags.writeable:
        return
    raise InvalidArgumentError(f"{name} must be a writeable, C-contiguous ndarray")


def pointer(array: np.ndarray) -> Any:
    """Return a typed C pointer to a contiguous array (which it keeps alive)."""
    return ffi.from_buffer(_C_NAMES[array.dtype], array)


def scratch(size: int) -> Any:
    """Return a pointer to that many bytes of uninitialized memory, aligned like malloc's."""
    return pointer(np.empty(size, np.uint8))


def requant_struct(requant: Requant, keep: list[Any]) -> Any:
    """Return a ``kdq_requant *``."""
    arrays = {name: pointer(contiguous(value)) for name, value in vars(requant.constants).items()}
    keep += arrays.values()
    return ffi.new(
        "kdq_requant *",
        {
            "rule": requant.rule.c_id,
            "channel_step": int(requant.channels > 1),
            "zero_point": requant.zero_point,
            "qmin": requant.qmin,
            "qmax": requant.qmax,
            **arrays,
        },
    )


def window_struct(
    in_shape: tuple[int, ...],
    out_shape: tuple[int, ...],
    kernel: Pair = (1, 1),
    stride: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Any:
    """Return a ``kdq_window *``; shapes are (h, w, c) of one image.

    Raises
    ------
    RangeError
        If a size does not fit into 32 bits.
    """
    sizes = (*in_shape, *out_shape, *kernel, *stride, padding[0], padding[2], *dilation, groups)
    return ffi.new("kdq_window *", [check_int("a window size", n, 0, _INT32_MAX) for n in sizes])
