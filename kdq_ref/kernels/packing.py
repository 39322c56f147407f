"""Weights in the form a kernel wants, made once and used for many products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kdq_ref.kernels.buffers import contiguous, pointer
from kdq_ref.kernels.core import ffi, lib


@dataclass(frozen=True, eq=False)
class PackedWeights:
    """Weights of every group, as drawn in ``csrc/README.md``.

    Attributes
    ----------
    handle : cdata
        ``kdq_weights[groups]``; valid as long as this object lives.
    data : (groups, bytes) uint8 ndarray
        What the accumulators start from, then the panels.
    """

    handle: Any
    data: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes of all groups."""
        return self.data.nbytes


def pack_weights(
    kernel: Any,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    x_zero_point: int = 0,
    groups: int = 1,
    segments: int = 1,
    wide: bool = False,
) -> PackedWeights:
    """Pack ``weight`` : (K, N) int8, whose columns form ``groups`` equal runs.

    Parameters
    ----------
    kernel : cdata
        ``const kdq_kernel *``
    weight : (K, N) int8 ndarray
    bias : (N,) int32 ndarray, optional
        Zeros by default.
    x_zero_point : int
        Of the activations that will be multiplied.
    groups : int
    segments : int
        Into how many runs the activations of a row are split; divides K.
    wide : bool
        Hold elements as wide as the kernel multiplies them: faster for many rows, more memory.
    """
    k, n = weight.shape
    group_n = n // groups
    handle = ffi.new(
        "kdq_weights[]",
        [(kernel, segments, k // segments, group_n, int(wide), ffi.NULL)] * groups,
    )
    data = np.empty((groups, lib.kdq_weights_bytes(handle)), np.uint8)
    source = pointer(contiguous(weight))
    bias_source = ffi.NULL if bias is None else pointer(contiguous(bias))
    for g in range(groups):
        handle[g].data = pointer(data[g])
        lib.kdq_pack_weights(
            handle + g,
            source + g * group_n,
            n,
            bias_source if bias is None else bias_source + g * group_n,
            x_zero_point,
        )
    return PackedWeights(handle, data)


def fold_bias(weight: np.ndarray, bias: np.ndarray, x_zero_point: int) -> np.ndarray:
    """Return ``bias - x_zero_point * weight.sum(0)`` : (N,) int32, modulo 2**32."""
    k, n = weight.shape
    folded = np.empty(n, np.int32)
    lib.kdq_fold_bias(
        k,
        n,
        pointer(contiguous(weight)),
        n,
        pointer(contiguous(bias)),
        x_zero_point,
        pointer(folded),
    )
    return folded
