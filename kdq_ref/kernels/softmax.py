"""Softmax in C; equals its namesake in intref."""

from __future__ import annotations

import numpy as np

from kdq_ref import operands
from kdq_ref.checks import check_array
from kdq_ref.errors import InvalidArgumentError, ShapeError
from kdq_ref.kernels.buffers import check_writable, contiguous, pointer
from kdq_ref.kernels.core import lib
from kdq_ref.kernels.dispatch import kernel_for

_CODES = np.dtype(np.int8)


def softmax(
    q: np.ndarray,
    table: np.ndarray,
    *,
    out: np.ndarray | None = None,
    isa: str | None = None,
) -> np.ndarray:
    """:func:`kdq_ref.intref.softmax`: (..., C) int8 to probabilities (..., C) int8.

    ``out``, of ``q``'s shape, C-contiguous and elsewhere in memory, is filled and returned.
    """
    chosen = kernel_for(isa)
    q = check_array("q", q, dtype=np.int8)
    operands.softmax_shape(q.shape, table)
    if out is None:
        out = np.empty(q.shape, np.int8)
    else:
        _check_out(out, q, np.asarray(table))
    columns = q.shape[-1]
    lib.kdq_softmax(
        chosen,
        q.size // columns,
        columns,
        pointer(contiguous(q)),
        pointer(contiguous(np.asarray(table))),
        pointer(out),
    )
    return out


def _check_out(out: np.ndarray, q: np.ndarray, table: np.ndarray) -> None:
    check_writable("out", out, _CODES)
    if out.shape != q.shape:
        raise ShapeError(f"out must have shape {q.shape}, got {out.shape}")
    if np.may_share_memory(out, q) or np.may_share_memory(out, table):
        raise InvalidArgumentError("out must not share memory with q or table")
