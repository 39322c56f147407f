"""An integer network as runtimes are given it: scales recovered from its constants.

An :class:`~kdq_ref.infer.IntGraph` holds what a rule made of ``s_x * s_w / s_y``, not ``s_w``. A
mantissa of 31 bits pins down a weight scale, which is a float32 of 24; a float32 multiplier leaves
a few neighbours, all of which form it again. Whatever is recovered must form the constants again,
to the last bit; nothing here is approximate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kdq_ref.errors import InvalidArgumentError, UnsupportedError
from kdq_ref.infer import IntGraph, IntNode
from kdq_ref.infer.graph import INPUT
from kdq_ref.infer.ops import (
    Add,
    AvgPool2d,
    Conv2d,
    Dense,
    DepthwiseConv2d,
    Flatten,
    GlobalAvgPool,
    Lookup,
    MaxPool2d,
)
from kdq_ref.operands import MAX_ADD_MULTIPLIER
from kdq_ref.rounding import Constants, Requant, Rule
from kdq_ref.verify.network import Encoding, Network, Node, Weight, code_bounds
from kdq_ref.verify.tables import FUNCTIONS, table

_NEIGHBOURS = (0, 1, -1, 2, -2)
"""Steps of a float32 from the nearest candidate; two roundings move it no further."""

_INFINITY = float("inf")
_CLAMPS = ((-_INFINITY, _INFINITY), (0.0, _INFINITY), (0.0, 6.0))


def network_of(graph: IntGraph) -> Network:
    """Return the network that a runtime would be given, with int8 activations.

    Parameters
    ----------
    graph : IntGraph

    Returns
    -------
    Network
        Its values are called like the graph's; under the graph's rule it computes the same codes.

    Raises
    ------
    UnsupportedError
        Where runtimes have no such thing: constants that no float32 weight scale forms, a real
        bias, a table that is no known function, average pools that count their padding.
    """
    encodings = {INPUT: _encoding(INPUT, graph.input_scale, graph.input_zero_point)}
    nodes = []
    for node in graph.nodes:
        encodings[node.name] = _encoding(node.name, node.scale, node.zero_point)
        sources = [encodings[name] for name in node.inputs]
        shape = graph.shapes[node.inputs[0]]
        fields = _WRITERS[type(node.op)](node, sources, encodings[node.name], shape)
        requant = getattr(node.op, "requant", None)
        if requant is not None:
            fields["clamp"] = _clamp(node.name, encodings[node.name], requant)
        fields.setdefault("operator", node.op.kind)
        nodes.append(
            Node(name=node.name, inputs=node.inputs, output=encodings[node.name], **fields)
        )
    return Network(
        {INPUT: encodings[INPUT]}, {INPUT: graph.input_shape}, tuple(nodes), graph.output
    )


def _encoding(name: str, scale: float, zero_point: int) -> Encoding:
    if float(np.float32(scale)) != scale:
        raise UnsupportedError(f"value {name!r}: no runtime holds the scale {scale!r} in float32")
    return Encoding("int8", scale, zero_point)


def _clamp(name: str, output: Encoding, requant: Requant) -> tuple[float, float] | None:
    """Real bounds whose codes are the clamp's; None where it is that of the type."""
    wanted = requant.qmin, requant.qmax
    low, high = (output.scale * (code - output.zero_point) for code in wanted)
    if wanted[0] == output.limits[0]:
        low = -_INFINITY
    if wanted[1] == output.limits[1]:
        high = _INFINITY
    for bounds in (*_CLAMPS, (low, high)):
        if code_bounds(output, bounds) == wanted:
            return None if bounds == _CLAMPS[0] else bounds
    raise UnsupportedError(f"node {name!r}: no real bounds have the codes {wanted} of its clamp")


def _held(rule: Rule, constants: Constants) -> np.ndarray:
    """The real multiplier that the constants hold : (C,) float64."""
    if "real" in rule.uses:
        return constants.real
    if "scale" in rule.uses:
        return constants.scale.astype(np.float64)
    return np.ldexp(constants.multiplier.astype(np.float64), constants.exponent - 31)


def _forms(
    requant: Requant, input_scale: float, scales: np.ndarray, output_scale: float
) -> np.ndarray:
    """Which channels' constants these weight scales form : (C,) bool."""
    stored, usable = requant.constants, np.isfinite(scales) & (scales > 0)
    try:
        formed = requant.rule.constants(input_scale, np.where(usable, scales, 1), output_scale)
    except InvalidArgumentError:
        return np.zeros(stored.channels, bool)
    same = [getattr(formed, name) == getattr(stored, name) for name in requant.rule.uses]
    result: np.ndarray = np.logical_and.reduce([usable, *same])
    return result


def weight_scales(requant: Requant, input_scale: float, output_scale: float) -> np.ndarray:
    """Recover the scales of weights from the constants that they formed.

    Parameters
    ----------
    requant : Requant
    input_scale, output_scale : float
        Exactly float32.

    Returns
    -------
    (C,) float32 ndarray
        As many as the constants have channels.

    Raises
    ------
    UnsupportedError
        For a rule that keeps the bias real, and where no float32 forms a channel's constants.
    """
    if requant.rule.keeps_bias_real:
        raise UnsupportedError(
            f"{requant.rule.name} keeps the bias real; runtimes here are given an int32 bias: "
            f"quantize the network again under another rule"
        )
    real = _held(requant.rule, requant.constants) * output_scale / input_scale
    # A channel whose multiplier vanished tells no scale; one that vanishes again does.
    real = np.where(real == 0, 2.0**-34 * output_scale / input_scale, real)
    with np.errstate(over="ignore"):
        nearest = real.astype(np.float32)
    found, scales = np.zeros(len(real), bool), np.zeros(len(real), np.float32)
    for steps in _NEIGHBOURS:
        candidate = nearest
        for _ in range(abs(steps)):
            candidate = np.nextafter(candidate, np.float32(np.inf if steps > 0 else 0))
        forms = ~found & _forms(requant, input_scale, candidate, output_scale)
        scales[forms] = candidate[forms]
        found |= forms
    if not found.all():
        channel = int(np.argmin(found))
        raise UnsupportedError(
            f"no float32 weight scale forms the constants of channel {channel}; the nearest is "
            f"{float(nearest[channel])!r}"
        )
    return scales


def _affine(
    node: IntNode, sources: list[Encoding], output: Encoding, shape: tuple[int, ...]
) -> dict[str, Any]:
    op: Any = node.op
    try:
        scales = weight_scales(op.requant, sources[0].scale, output.scale)
    except UnsupportedError as fault:
        raise UnsupportedError(f"node {node.name!r}: {fault}") from fault
    fields = {"weight": Weight(op.weight, scales), "bias": op.bias}
    for name in ("stride", "padding", "dilation", "groups"):
        if hasattr(op, name):
            fields[name] = getattr(op, name)
    return fields


def _check_average(node: IntNode, source: Encoding, output: Encoding, size: int) -> None:
    op: Any = node.op
    if not _forms(op.requant, source.scale, np.full(1, 1 / size), output.scale).all():
        raise UnsupportedError(
            f"node {node.name!r}: its constants are not those of an average of {size} codes"
        )


def _avg_pool(
    node: IntNode, sources: list[Encoding], output: Encoding, shape: tuple[int, ...]
) -> dict[str, Any]:
    op: Any = node.op
    if any(op.padding):
        raise UnsupportedError(
            f"node {node.name!r} averages over its padding {op.padding}; runtimes leave it out"
        )
    _check_average(node, sources[0], output, op.kernel[0] * op.kernel[1])
    return {"kernel": op.kernel, "stride": op.stride, "padding": op.padding}


def _global_avg_pool(
    node: IntNode, sources: list[Encoding], output: Encoding, shape: tuple[int, ...]
) -> dict[str, Any]:
    _check_average(node, sources[0], output, shape[0] * shape[1])
    return {}


def _add(
    node: IntNode, sources: list[Encoding], output: Encoding, shape: tuple[int, ...]
) -> dict[str, Any]:
    op: Any = node.op
    larger = max(source.scale for source in sources)
    wanted = [int(np.rint(source.scale / larger * MAX_ADD_MULTIPLIER)) for source in sources]
    same = wanted == [op.a_multiplier, op.b_multiplier]
    step = np.full(1, 1 / MAX_ADD_MULTIPLIER)
    if not (same and _forms(op.requant, larger, step, output.scale).all()):
        raise UnsupportedError(f"node {node.name!r}: its constants are not those of its scales")
    return {}


def _max_pool(
    node: IntNode, sources: list[Encoding], output: Encoding, shape: tuple[int, ...]
) -> dict[str, Any]:
    op: Any = node.op
    return {"kernel": op.kernel, "stride": op.stride, "padding": op.padding}


def _flatten(
    node: IntNode, sources: list[Encoding], output: Encoding, shape: tuple[int, ...]
) -> dict[str, Any]:
    return {}


def _lookup(
    node: IntNode, sources: list[Encoding], output: Encoding, shape: tuple[int, ...]
) -> dict[str, Any]:
    """Name the function whose codes the table holds, made as lowering makes them."""
    op: Any = node.op
    for name, function in FUNCTIONS.items():
        if np.array_equal(table(function, sources[0], output), op.table):
            return {"operator": name}
    raise UnsupportedError(
        f"node {node.name!r}: its table is none of {', '.join(FUNCTIONS)}, which runtimes have"
    )


_WRITERS: dict[type, Callable[..., dict[str, Any]]] = {
    Dense: _affine,
    Conv2d: _affine,
    DepthwiseConv2d: _affine,
    MaxPool2d: _max_pool,
    AvgPool2d: _avg_pool,
    GlobalAvgPool: _global_avg_pool,
    Add: _add,
    Lookup: _lookup,
    Flatten: _flatten,
}
"""``writer(node, input encodings, output encoding, input shape)``: fields of the node."""
