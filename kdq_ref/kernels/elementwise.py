"""Addition, look-up tables, flatten and argmax in C; each equals its namesake in intref."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdq_ref import operands
from kdq_ref.kernels.buffers import contiguous, pointer, requant_struct
from kdq_ref.kernels.core import ffi, lib
from kdq_ref.kernels.dispatch import kernel_for
from kdq_ref.rounding import Requant, channels_of


def add(
    a: np.ndarray,
    b: np.ndarray,
    *,
    a_zero_point: int,
    b_zero_point: int,
    a_multiplier: int,
    b_multiplier: int,
    requant: Requant,
    isa: str | None = None,
) -> np.ndarray:
    """:func:`kdq_ref.intref.add`: two int8 arrays of one shape to a third."""
    chosen = kernel_for(isa)
    a = operands.check_batch("a", a)
    b = operands.check_batch("b", b)
    operands.add_shape(
        a.shape,
        b.shape,
        a_zero_point=a_zero_point,
        b_zero_point=b_zero_point,
        a_multiplier=a_multiplier,
        b_multiplier=b_multiplier,
        channels=channels_of(requant),
    )
    y = np.empty(a.shape, np.int8)
    addends = ffi.new("kdq_addends *", [a_zero_point, b_zero_point, a_multiplier, b_multiplier])
    keep: list[Any] = []
    lib.kdq_add(
        chosen,
        a.size,
        pointer(contiguous(a)),
        pointer(contiguous(b)),
        addends,
        requant_struct(requant, keep),
        pointer(y),
    )
    return y


def lookup(x: np.ndarray, table: np.ndarray, *, isa: str | None = None) -> np.ndarray:
    """:func:`kdq_ref.intref.lookup`: ``table[x + 128]``, an int8 array of ``x``'s shape."""
    chosen = kernel_for(isa)
    x = operands.check_batch("x", x)
    operands.lookup_shape(x.shape, table)
    y = np.empty(x.shape, np.int8)
    lib.kdq_lookup(
        chosen, x.size, pointer(contiguous(x)), pointer(contiguous(np.asarray(table))), pointer(y)
    )
    return y


def flatten(x: np.ndarray, *, isa: str | None = None) -> np.ndarray:
    """:func:`kdq_ref.intref.flatten`: (B, ...) to (B, prod); a matter of shape only."""
    kernel_for(isa)
    x = operands.check_batch("x", x)
    return np.ascontiguousarray(x).reshape(len(x), *operands.flatten_shape(x.shape[1:]))


def argmax(q: np.ndarray, *, isa: str | None = None) -> np.ndarray:
    """:func:`kdq_ref.intref.argmax`: (B, C) int8 to (B,) int64, the first one on a tie."""
    chosen = kernel_for(isa)
    q = operands.check_classes(q)
    index = np.empty(len(q), np.int64)
    lib.kdq_argmax(chosen, len(q), q.shape[1], pointer(contiguous(q)), pointer(index))
    return index
