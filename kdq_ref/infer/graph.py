"""``IntGraph``: a network of integers only, checked and proven when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kdq_ref import operands
from kdq_ref.checks import check_array, check_finite, check_positive_int
from kdq_ref.errors import GraphError, InvalidArgumentError
from kdq_ref.infer import bounds
from kdq_ref.infer.ops import Flatten, MaxPool2d, Op, make_plain
from kdq_ref.operands import Shape
from kdq_ref.rounding import Rule

INPUT = "input"
"""Name of the value that the network is fed with."""

MAX_NODES = 10_000
MAX_SAMPLE = 1 << 28
"""Most elements of one sample of any value."""


@dataclass(frozen=True, eq=False)
class IntNode:
    """One operator at its place in the network.

    Attributes
    ----------
    name : str
        Also the name of the value it produces.
    op : Op
    inputs : tuple of str
        Names of earlier nodes, or ``"input"``.
    scale : float
        Of the output: ``real = scale * (q - zero_point)``.
    zero_point : int
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        make_plain(self)


@dataclass(frozen=True, eq=False)
class IntGraph:
    """An integer network.

    Attributes
    ----------
    input_shape : tuple of int
        Of one sample, ``(H, W, C)`` or ``(K,)``.
    input_scale : float
    input_zero_point : int
    nodes : tuple of IntNode
        In topological order.
    output : str
        Name of the value that is the network's result.
    rule : Rule
        Every requantization follows it.
    source_digest : str
        SHA-256 of the float network it was lowered from, or empty.
    metadata : dict
        Anything that survives JSON and travels with the model (class names, pixel scale, ...).
    shapes : dict of str to tuple
        Shape of one sample of every value.
    bounds : dict of str to (C, 2) int64 ndarray
        Reachable accumulators of every affine node, as proven from its weights.

    Raises
    ------
    GraphError
        For duplicate or unknown names, inputs that come later (a cycle), shapes that clash, zero
        points that are not those of the value that is read.
    AccumulatorOverflowError
        If a channel cannot be proven to stay inside int32.
    """

    input_shape: Shape
    input_scale: float
    input_zero_point: int
    nodes: tuple[IntNode, ...]
    output: str
    rule: Rule
    source_digest: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(init=False)
    bounds: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        make_plain(self)
        shape = tuple(check_positive_int("input_shape", size) for size in self.input_shape)
        object.__setattr__(self, "input_shape", shape)
        _check_size(INPUT, shape)
        operands.check_scale(self.input_scale)
        operands.check_zero_point("input_zero_point", self.input_zero_point)
        if len(self.nodes) > MAX_NODES:
            raise GraphError(f"{len(self.nodes)} nodes are too many; at most {MAX_NODES}")
        shapes: dict[str, Shape] = {INPUT: shape}
        proven: dict[str, np.ndarray] = {}
        codes = {INPUT: (self.input_scale, self.input_zero_point)}
        for node in self.nodes:
            shapes[node.name] = _check_node(node, shapes, self.rule)
            _check_codes(node, [codes[name] for name in node.inputs])
            codes[node.name] = (node.scale, node.zero_point)
            reachable = bounds.prove(node.name, node.op)
            if reachable is not None:
                proven[node.name] = reachable
        if self.output not in shapes:
            raise GraphError(f"output {self.output!r} is not a node of the network")
        object.__setattr__(self, "shapes", shapes)
        object.__setattr__(self, "bounds", proven)

    @property
    def output_shape(self) -> Shape:
        """Shape of one sample of the result."""
        return self.shapes[self.output]

    @property
    def output_scale(self) -> float:
        """Scale of the result."""
        return self.quantization(self.output)[0]

    @property
    def output_zero_point(self) -> int:
        """Zero point of the result."""
        return self.quantization(self.output)[1]

    def quantization(self, value: str) -> tuple[float, int]:
        """``(scale, zero_point)`` of a value by name."""
        if value == INPUT:
            return self.input_scale, self.input_zero_point
        for node in self.nodes:
            if node.name == value:
                return node.scale, node.zero_point
        raise GraphError(f"{value!r} is not a value of the network")

    def macs(self) -> int:
        """Multiply-accumulates for one sample."""
        return sum(node.op.macs(*(self.shapes[i] for i in node.inputs)) for node in self.nodes)

    def count_parameters(self) -> int:
        """Integer weights and biases."""
        return sum(
            array.size
            for node in self.nodes
            for name, array in node.op.keywords().items()
            if name in ("weight", "bias")
        )

    def weight_bytes(self) -> int:
        """Bytes of all weights, biases and tables; requantization constants are not counted."""
        return sum(node.op.weight_bytes() for node in self.nodes)

    def check_input(self, x: np.ndarray, *, finite: bool = True) -> np.ndarray:
        """Return ``x`` : (B, *input_shape) float32 or int8 after checking it.

        Floats are finite unless that is not asked for.
        """
        x = check_array("x", x, dtype=(np.float32, np.int8), shape=(None, *self.input_shape))
        return check_finite("x", x) if finite and x.dtype != np.int8 else x


def _check_node(node: IntNode, shapes: dict[str, Shape], rule: Rule) -> Shape:
    try:
        node.name.encode()
    except (AttributeError, UnicodeEncodeError):
        raise GraphError(f"a node's name must be UTF-8 text, got {node.name!r}") from None
    if node.name in shapes:
        raise GraphError(f"two values are called {node.name!r}")
    for name in node.inputs:
        if name not in shapes:
            raise GraphError(
                f"node {node.name!r} reads {name!r}, which is not an earlier node: "
                f"it does not exist, or the network has a cycle"
            )
    if len(node.inputs) != node.op.arity:
        raise GraphError(
            f"node {node.name!r} ({node.op.kind}) takes {node.op.arity} input(s), "
            f"got {len(node.inputs)}"
        )
    requant = getattr(node.op, "requant", None)
    try:
        operands.check_scale(node.scale)
        operands.check_zero_point("zero_point", node.zero_point)
        shape = node.op.output_shape(*(shapes[name] for name in node.inputs))
    except InvalidArgumentError as fault:
        raise GraphError(f"node {node.name!r} ({node.op.kind}): {fault}") from fault
    if requant is not None and requant.rule is not rule:
        raise GraphError(
            f"node {node.name!r} rounds by {requant.rule.name}, the network by {rule.name}"
        )
    if requant is not None and requant.zero_point != node.zero_point:
        raise GraphError(
            f"node {node.name!r} requantizes to zero point {requant.zero_point}, "
            f"but declares {node.zero_point}"
        )
    _check_size(node.name, shape)
    return shape


def _check_codes(node: IntNode, sources: list[tuple[float, int]]) -> None:
    """Check that the node reads its inputs' codes as what they were written as."""
    if isinstance(node.op, MaxPool2d | Flatten):
        if (node.scale, node.zero_point) != sources[0]:
            raise GraphError(
                f"node {node.name!r} ({node.op.kind}) only moves codes, but its scale and zero "
                f"point {(node.scale, node.zero_point)} are not its input's {sources[0]}"
            )
        return
    names = ("a_zero_point", "b_zero_point") if node.op.arity == 2 else ("x_zero_point",)
    for name, (_, zero_point), source in zip(names, sources, node.inputs, strict=True):
        if getattr(node.op, name, zero_point) != zero_point:
            raise GraphError(
                f"node {node.name!r}: its {name} is {getattr(node.op, name)}, but {source!r} "
                f"has zero point {zero_point}"
            )


def _check_size(name: str, shape: Shape) -> None:
    # Python integers: a product of hostile sizes must not wrap.
    size = 1
    for axis in shape:
        size *= axis
    if not 0 < size <= MAX_SAMPLE:
        raise GraphError(f"value {name!r} of shape {shape} has {size} elements per sample")
