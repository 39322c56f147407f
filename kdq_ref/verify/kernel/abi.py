"""The calling conventions of ``kdq_kernel_abi.h``, by name, and its structures for ctypes."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from importlib import resources

import numpy as np

from kdq_ref.errors import InvalidArgumentError

UNSUPPORTED = 1
"""What a kernel returns for a call that it does not claim to compute."""
SCRATCH_ALIGNMENT = 64
SCRATCH_SUFFIX = "_scratch_bytes"

_POINTER = ctypes.c_void_p
_I32, _I64 = ctypes.c_int32, ctypes.c_int64


class RequantStruct(ctypes.Structure):
    """``kdq_abi_requant``."""

    _fields_ = (
        *((name, _I32) for name in ("zero_point", "qmin", "qmax", "channels")),
        *((name, _POINTER) for name in ("multiplier", "exponent", "scale", "real")),
    )


class GemmStruct(ctypes.Structure):
    """``kdq_abi_gemm``."""

    _fields_ = (
        *((name, _I64) for name in ("m", "n", "k")),
        *(("a", _POINTER), ("lda", _I64), ("b", _POINTER), ("ldb", _I64), ("bias", _POINTER)),
        *(("c", _POINTER), ("ldc", _I64), ("requant", _POINTER)),
        *(("scratch", _POINTER), ("scratch_bytes", _I64), ("a_zero_point", _I32)),
    )


class RequantizeStruct(ctypes.Structure):
    """``kdq_abi_requantize``."""

    _fields_ = (
        *(("rows", _I64), ("channels", _I64), ("acc", _POINTER), ("ld_acc", _I64)),
        *(("bias", _POINTER), ("y", _POINTER), ("ld_y", _I64), ("requant", _POINTER)),
        *(("scratch", _POINTER), ("scratch_bytes", _I64)),
    )


class Conv2dStruct(ctypes.Structure):
    """``kdq_abi_conv2d``."""

    _fields_ = (
        *((name, _I64) for name in ("batch", "in_h", "in_w", "in_c", "out_h", "out_w", "out_c")),
        *((name, _I64) for name in ("kernel_h", "kernel_w", "stride_h", "stride_w")),
        *((name, _I64) for name in ("dilation_h", "dilation_w", "pad_top", "pad_left", "groups")),
        *((name, _POINTER) for name in ("x", "weight", "bias", "y", "requant", "scratch")),
        *(("scratch_bytes", _I64), ("x_zero_point", _I32)),
    )


@dataclass(frozen=True)
class Family:
    """What calling conventions with the same structure share.

    Attributes
    ----------
    c_type : str
        The structure's name in the header.
    struct : type of ctypes.Structure
    data, weight, output : str
        Its members: what is scaled or multiplied, by what ("" if by nothing), and the result.
    zero_point : str
        Its member that is subtracted from ``data``; "" if none is.
    leading : dict of str
        Array to the member that is its row stride.
    """

    c_type: str
    struct: type[ctypes.Structure]
    data: str
    weight: str
    output: str
    zero_point: str
    leading: dict[str, str]


GEMM = Family(
    "kdq_abi_gemm", GemmStruct, "a", "b", "c", "a_zero_point", {"a": "lda", "b": "ldb", "c": "ldc"}
)
REQUANTIZE = Family(
    "kdq_abi_requantize", RequantizeStruct, "acc", "", "y", "", {"acc": "ld_acc", "y": "ld_y"}
)
CONV2D = Family("kdq_abi_conv2d", Conv2dStruct, "x", "weight", "y", "x_zero_point", {})


@dataclass(frozen=True)
class Abi:
    """One calling convention.

    Attributes
    ----------
    name : str
    family : Family
    data, output : str
        dtypes of the first operand and of the result.
    summary : str
    """

    name: str
    family: Family
    data: str
    output: str
    summary: str

    @property
    def requantizes(self) -> bool:
        """Whether a rounding rule decides the result."""
        return self.output != "int32"

    @property
    def depthwise(self) -> bool:
        """Whether every input channel is a group of its own."""
        return self.name == "depthwise_s8"

    @property
    def codes(self) -> tuple[int, int]:
        """Least and greatest value of the output's type."""
        limits = np.iinfo(self.output)
        return int(limits.min), int(limits.max)


ABIS = {
    abi.name: abi
    for abi in (
        Abi("gemm_s8s8s32", GEMM, "int8", "int32", "product of int8 matrices, int32"),
        Abi("gemm_u8s8s32", GEMM, "uint8", "int32", "product of uint8 and int8 matrices, int32"),
        Abi("gemm_s8s8s8", GEMM, "int8", "int8", "dense layer, int8 to int8"),
        Abi("gemm_u8s8u8", GEMM, "uint8", "uint8", "dense layer, uint8 to uint8"),
        Abi("requantize", REQUANTIZE, "int32", "int8", "int32 accumulators to int8"),
        Abi("conv2d_s8", CONV2D, "int8", "int8", "convolution, int8 to int8"),
        Abi("depthwise_s8", CONV2D, "int8", "int8", "depthwise convolution, int8 to int8"),
    )
}
"""Every calling convention by name."""


def get_abi(name: str) -> Abi:
    """Return the calling convention of that name.

    Raises
    ------
    InvalidArgumentError
        For an unknown name; the message lists the known ones.
    """
    try:
        return ABIS[name]
    except KeyError:
        raise InvalidArgumentError(
            f"unknown abi {name!r}; choose one of {', '.join(ABIS)} "
            f"(`kdq verify --print-header` says what each means)"
        ) from None


def asset(name: str) -> str:
    """Return a C file that ships with the package: the header, the example, ..."""
    path = resources.files("kdq_ref.verify.kernel") / "assets" / name
    return path.read_text(encoding="utf-8")
