"""Weights in the form a kernel wants, made once and used for many products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.int4 import HIGHEST, LOWEST
from kdq_ref.kernels.buffers import contiguous, pointer
from kdq_ref.kernels.core import ffi, lib
from kdq_ref.kernels.dispatch import kernel_name

FORMS = ("compact", "wide", "winograd", "pairs", "nibbles")
"""How weights may be held: as int8; as wide as the kernel multiplies them; transformed for
F(2x2, 3x3); as int8 for the kernel that sums pairs of products in 16 bits; or for that kernel two
to a byte, in half the memory."""

NIBBLES_FROM = 8 << 20
"""Weights from which on "nibbles" are faster than "pairs", as bytes would come from beyond the
caches: one row takes 1.3 to 2.3 times less, two mostly as much, up to eight rows a little less,
more rows as long. Of fewer weights one row gains up to a fifth, eight rows lose a tenth."""

_C_FORMS = {"compact": 0, "wide": 1, "winograd": 2, "pairs": 1, "nibbles": 0}  # enum kdq_form


@dataclass(frozen=True, eq=False)
class PackedWeights:
    """Weights of every group, as drawn in ``csrc/README.md``.

    Attributes
    ----------
    handle : cdata
        ``kdq_weights[groups]``; valid as long as this object lives.
    data : (groups, bytes) uint8 ndarray
        What the accumulators start from, proven depths of pair sums, then the panels.
    form : str
        Of :data:`FORMS`.
    """

    handle: Any
    data: np.ndarray
    form: str

    @property
    def kernel(self) -> str:
        """The micro-kernel that reads them."""
        return kernel_name(self.handle[0].kernel)

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
    form: str = "compact",
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
    form : str
        Of :data:`FORMS`; :func:`fitting_form` must have allowed it.
    """
    k, n = weight.shape
    group_n = n // groups
    if form in ("pairs", "nibbles"):
        kernel = lib.kdq_kernel_narrow(kernel)
    handle = ffi.new(
        "kdq_weights[]",
        [(kernel, segments, k // segments, group_n, _C_FORMS[form], ffi.NULL)] * groups,
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
    return PackedWeights(handle, data, form)


def fitting_form(
    kernel: Any, window: Any, weight: np.ndarray, wanted: str | None = None, *, default: str
) -> str:
    """Return the form in which ``weight`` : (K, N) should be held.

    Parameters
    ----------
    kernel : cdata
        ``const kdq_kernel *``
    window : cdata
        ``kdq_window *``; of a dense layer, with all sizes 1.
    weight : (K, N) int8 ndarray
    wanted : str, optional
        A form, instead of the fastest that is exact for these weights.
    default : str
        Where nothing faster is exact.

    Raises
    ------
    InvalidArgumentError
        For an unknown form, or one that would not be exact.
    """
    winograd = lib.kdq_winograd_fits(kernel, window, pointer(contiguous(weight)), weight.shape[1])
    if wanted is None:
        if winograd and lib.kdq_winograd_pays(kernel, window):
            return "winograd"
        if not pair_depth(kernel, window, weight):
            return default
        return "nibbles" if weight.size >= NIBBLES_FROM and _fit_int4(weight) else "pairs"
    if wanted not in FORMS:
        raise InvalidArgumentError(f"unknown form {wanted!r}; choose one of {', '.join(FORMS)}")
    if wanted == "winograd" and not winograd:
        raise InvalidArgumentError(
            "form 'winograd' needs a 3 x 3 convolution with stride 1, no dilation, no groups, a "
            "kernel that multiplies int16, and weights whose sums over 4 * 9 * in_c fit int32"
        )
    if wanted == "pairs" and not pair_depth(kernel, window, weight):
        raise InvalidArgumentError(
            "form 'pairs' needs a kernel that sums pairs of products in 16 bits, and weights so "
            "small that 255 times any two neighbours of one sign fit (those in [-64, 64] do)"
        )
    if wanted == "nibbles" and not (pair_depth(kernel, window, weight) and _fit_int4(weight)):
        raise InvalidArgumentError(
            "form 'nibbles' needs a kernel that sums pairs of products in 16 bits, and weights in "
            "[-8, 7]"
        )
    return wanted


def _fit_int4(weight: np.ndarray) -> bool:
    return not weight.size or bool(weight.min() >= LOWEST and weight.max() <= HIGHEST)


def pair_depth(kernel: Any, window: Any, weight: np.ndarray) -> int:
    """How many pairs of products of any column fit 16 bits, proven from ``weight`` : (K, N).

    0 where not even one does, or the kernel has no form that would profit.
    """
    narrow = lib.kdq_kernel_narrow(kernel)
    if narrow == ffi.NULL:
        return 0
    k, n = weight.shape
    segments, groups = lib.kdq_conv2d_segments(window), window.groups
    handle = ffi.new("kdq_weights *", (narrow, segments, k // segments, n // groups, 0, ffi.NULL))
    source = pointer(contiguous(weight))
    return min(lib.kdq_pair_depth(handle, source + g * (n // groups), n) for g in range(groups))


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
