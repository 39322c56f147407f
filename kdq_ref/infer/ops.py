"""The operators of an integer network: the constants each holds.

An operator class is one function of :mod:`kdq_ref.intref`: ``kind`` is the function's name and the
fields are its keywords. That convention is all there is: the specification, the shape check of
:mod:`kdq_ref.operands` and the C plan are all called through it, so none can drift from the others.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from kdq_ref import intref, operands
from kdq_ref.geometry import Padding, Pair
from kdq_ref.operands import Shape
from kdq_ref.rounding import Requant


def make_plain(record: Any) -> None:
    """Replace NumPy numbers in the fields of a frozen dataclass, and in its tuples, by Python's.

    NumPy's wrap around where they are narrow, and JSON does not know them.
    """
    for field in fields(record):
        if field.init:
            object.__setattr__(record, field.name, _plain(getattr(record, field.name)))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_plain(part) for part in value)
    return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True, eq=False)
class Op:
    """Base of every operator."""

    kind: ClassVar[str]
    arity: ClassVar[int] = 1

    def __post_init__(self) -> None:
        make_plain(self)

    def keywords(self) -> dict[str, Any]:
        """The fields, as keywords of the function named ``kind``."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of one sample of the output.

        Raises
        ------
        ShapeError, DTypeError, RangeError
            If the operator cannot take inputs of these shapes.
        """
        keywords = self.keywords()
        if "requant" in keywords:
            keywords["channels"] = keywords.pop("requant").channels
        shape: Shape = getattr(operands, f"{self.kind}_shape")(*shapes, **keywords)
        return shape

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        """Run the NumPy specification on int8 batches."""
        result: np.ndarray = getattr(intref, self.kind)(*inputs, **self.keywords())
        return result

    def macs(self, *shapes: Shape) -> int:
        """Multiply-accumulates for one sample."""
        return 0

    def weight_bytes(self) -> int:
        """Bytes of weight, bias and table; requantization constants are not counted."""
        return sum(v.nbytes for v in self.keywords().values() if isinstance(v, np.ndarray))


@dataclass(frozen=True, eq=False)
class Affine(Op):
    """What dense and convolutions share: weights, bias, and one requantization."""

    weight: np.ndarray
    bias: np.ndarray
    x_zero_point: int
    requant: Requant

    def macs(self, *shapes: Shape) -> int:
        """Every weight once per output position."""
        positions = int(np.prod(self.output_shape(*shapes)[:-1], dtype=np.int64))
        return positions * self.weight.size


@dataclass(frozen=True, eq=False)
class Dense(Affine):
    """:func:`kdq_ref.intref.dense`; ``weight`` : (K, N)."""

    kind: ClassVar[str] = "dense"


@dataclass(frozen=True, eq=False)
class Conv2d(Affine):
    """:func:`kdq_ref.intref.conv2d`; ``weight`` : (kh, kw, C/groups, O)."""

    kind: ClassVar[str] = "conv2d"
    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1


@dataclass(frozen=True, eq=False)
class DepthwiseConv2d(Affine):
    """:func:`kdq_ref.intref.depthwise_conv2d`; ``weight`` : (kh, kw, 1, C*m)."""

    kind: ClassVar[str] = "depthwise_conv2d"
    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    dilation: Pair = (1, 1)


@dataclass(frozen=True, eq=False)
class MaxPool2d(Op):
    """:func:`kdq_ref.intref.max_pool2d`."""

    kind: ClassVar[str] = "max_pool2d"
    kernel: Pair
    stride: Pair
    padding: Padding = (0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class AvgPool2d(Op):
    """:func:`kdq_ref.intref.avg_pool2d`."""

    kind: ClassVar[str] = "avg_pool2d"
    kernel: Pair
    stride: Pair
    padding: Padding
    x_zero_point: int
    requant: Requant


@dataclass(frozen=True, eq=False)
class GlobalAvgPool(Op):
    """:func:`kdq_ref.intref.global_avg_pool`."""

    kind: ClassVar[str] = "global_avg_pool"
    x_zero_point: int
    requant: Requant


@dataclass(frozen=True, eq=False)
class Add(Op):
    """:func:`kdq_ref.intref.add`."""

    kind: ClassVar[str] = "add"
    arity: ClassVar[int] = 2
    a_zero_point: int
    b_zero_point: int
    a_multiplier: int
    b_multiplier: int
    requant: Requant


@dataclass(frozen=True, eq=False)
class Lookup(Op):
    """:func:`kdq_ref.intref.lookup`: any activation function, as 256 codes."""

    kind: ClassVar[str] = "lookup"
    table: np.ndarray


@dataclass(frozen=True, eq=False)
class Flatten(Op):
    """:func:`kdq_ref.intref.flatten`."""

    kind: ClassVar[str] = "flatten"


OPS: dict[str, type[Op]] = {
    op.kind: op
    for op in (
        Dense,
        Conv2d,
        DepthwiseConv2d,
        MaxPool2d,
        AvgPool2d,
        GlobalAvgPool,
        Add,
        Lookup,
        Flatten,
    )
}
"""Every operator class by its kind."""
