"""One call of a kernel: its sizes, its arrays, and what the specification says comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from kdq_ref.errors import RangeError
from kdq_ref.rounding import Constants, Rule, single_rounding
from kdq_ref.verify.kernel.abi import CONV2D, GEMM, Abi

GAP = 0x5B
"""Byte between the rows of strided inputs: a kernel that uses it is wrong, and always the same."""

_SHOWN = 4  # elements of an array that a line has room for


@dataclass(frozen=True, eq=False)
class Scaling:
    """What ``kdq_abi_requant`` holds.

    Attributes
    ----------
    rule : Rule
        Asked for; where it has a mantissa of its own, ``multiplier`` and ``exponent`` are its.
    real : (C,) float64 ndarray
        ``M`` of every channel; C is 1 where they are all alike.
    zero_point, qmin, qmax : int
        Of the output.
    """

    rule: Rule
    real: np.ndarray
    zero_point: int
    qmin: int
    qmax: int

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of ``kdq_abi_requant``."""
        own = self.rule.constants(1.0, self.real, 1.0)
        fixed = own if own.multiplier.any() else single_rounding.constants(1.0, self.real, 1.0)
        return {
            "multiplier": fixed.multiplier,
            "exponent": fixed.exponent,
            "scale": self.real.astype(np.float32),
            "real": self.real,
        }

    def apply(self, acc: np.ndarray, bias: np.ndarray, rule: Rule) -> np.ndarray:
        """Scale ``acc`` : (R, C) int64 by ``rule``.

        From the constants that the kernel is given if ``rule`` takes them, else from its own.

        Raises
        ------
        RangeError
            If ``rule`` is not defined for a multiplier.
        """
        constants = Constants(**self.arrays)
        try:
            rule.check(constants)
        except RangeError:
            constants = rule.constants(1.0, self.real, 1.0)
        if not rule.keeps_bias_real:
            return rule.apply(acc + bias, constants)
        spread = {
            name: np.broadcast_to(array, bias.shape) for name, array in vars(constants).items()
        }
        return rule.apply(acc, Constants(**{**spread, "bias": bias.astype(np.float32)}))


@dataclass(frozen=True, eq=False)
class Problem:
    """One call.

    Attributes
    ----------
    abi : Abi
    why : str
        What the call is there to find.
    sizes : mapping of str to int
        Every integer member of the structure but ``scratch_bytes``.
    inputs : mapping of str to ndarray
        Without gaps; ``bias`` is missing where the kernel gets NULL.
    scaling : Scaling or None
    """

    abi: Abi
    why: str
    sizes: Mapping[str, int]
    inputs: Mapping[str, np.ndarray]
    scaling: Scaling | None = None

    @property
    def data(self) -> np.ndarray:
        """The first operand: codes, or accumulators."""
        return self.inputs[self.abi.family.data]

    @property
    def zero_point(self) -> int:
        """The zero point of the data."""
        return self.sizes.get(self.abi.family.zero_point, 0)

    @property
    def rows(self) -> int:
        """Rows of the output as a matrix (rows, channels)."""
        if self.abi.family is CONV2D:
            return self.sizes["batch"] * self.sizes["out_h"] * self.sizes["out_w"]
        return len(self.data)

    @property
    def channels(self) -> int:
        """Columns of the output as a matrix."""
        name = {GEMM.c_type: "n", CONV2D.c_type: "out_c"}
        return self.sizes[name.get(self.abi.family.c_type, "channels")]

    @property
    def output_stride(self) -> int:
        """Elements from one row of the output to the next."""
        leading = self.abi.family.leading.get(self.abi.family.output)
        return self.sizes[leading] if leading else self.channels

    @property
    def output_size(self) -> int:
        """Elements from the first to the last of the output, gaps included."""
        return span((self.rows, self.channels), self.output_stride)

    @property
    def bias(self) -> np.ndarray:
        """(channels,) int64; zeros for NULL."""
        bias = self.inputs.get("bias")
        return np.zeros(self.channels, np.int64) if bias is None else bias.astype(np.int64)

    def flat(self, name: str) -> np.ndarray:
        """An input as it lies in memory, with its gaps."""
        array = self.inputs[name]
        leading = self.abi.family.leading.get(name)
        if leading is None:
            return array.ravel()
        memory = gaps(span(array.shape, self.sizes[leading]), array.dtype)
        matrix(memory, array.shape, self.sizes[leading])[...] = array
        return memory

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """Every array a call reads, as it lies in memory."""
        arrays = {name: self.flat(name) for name in self.inputs}
        return arrays if self.scaling is None else {**arrays, **self.scaling.arrays}

    def with_scaling(self, **changes: Any) -> Problem:
        """The same with other values in its scaling."""
        assert self.scaling is not None
        return replace(self, scaling=replace(self.scaling, **changes))

    def describe(self) -> str:
        """The sizes that matter, in one line."""
        shown = dict(self.sizes)
        if self.abi.depthwise:
            shown.pop("groups")
        text = ", ".join(f"{name} = {value}" for name, value in shown.items())
        if self.scaling is not None:
            s = self.scaling
            text += f", output zero point = {s.zero_point}, clamp = [{s.qmin}, {s.qmax}]"
        for name, array in self.inputs.items():
            if 0 < array.size <= _SHOWN:
                text += f", {name} = {array.tolist()}"
        if self.scaling is not None and len(self.scaling.real) <= _SHOWN:
            text += f", M = {self.scaling.real.tolist()}"
        return text


def span(shape: tuple[int, ...], stride: int) -> int:
    """Elements from the first to the last of a strided (rows, columns) matrix."""
    rows, columns = shape
    return (rows - 1) * stride + columns if rows and columns else 0


def gaps(size: int, dtype: np.dtype) -> np.ndarray:
    """Memory that holds the gap's byte everywhere."""
    return np.full(size * dtype.itemsize, GAP, np.uint8).view(dtype)


def matrix(memory: np.ndarray, shape: tuple[int, ...], stride: int) -> np.ndarray:
    """The strided (rows, columns) matrix in ``memory``, as a view."""
    if 0 in shape:
        return np.empty(shape, memory.dtype)
    steps = (stride * memory.itemsize, memory.itemsize)
    return np.lib.stride_tricks.as_strided(memory, shape, steps)
