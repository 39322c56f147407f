"""Weights in the form a kernel wants, made once and used for many products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kdq_ref.kernels.buffers import contiguous, pointer
from kdq_ref.kernels.core import lib


@dataclass(frozen=True, eq=False)
class PackedWeights:
    """Panels for one kernel and the bias with the input's zero point folded in.

    Attributes
    ----------
    panels : uint8 ndarray
        As drawn in ``csrc/README.md``; of each group in turn.
    bias : (N,) int32 ndarray
        ``bias - x_zero_point * sum_k weight``, modulo 2**32.
    """

    panels: np.ndarray
    bias: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self.panels.nbytes + self.bias.nbytes


def pack_weights(
    kernel: Any, weight: np.ndarray, bias: np.ndarray, *, x_zero_point: int, groups: int = 1
) -> PackedWeights:
    """Pack ``weight`` : (K, N) int8, whose columns form ``groups`` equal runs."""
    k, n = weight.shape
    group_n = n // groups
    group_bytes = lib.kdq_packed_bytes(kernel, k, group_n)
    panels = np.empty(group_bytes * groups, np.uint8)
    source, target = pointer(contiguous(weight)), pointer(panels)
    for g in range(groups):
        lib.kdq_pack_weights(kernel, k, group_n, source + g * group_n, n, target + g * group_bytes)
    return PackedWeights(panels, fold_bias(weight, bias, x_zero_point))


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
