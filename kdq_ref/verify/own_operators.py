"""A node with scales as an operator of our own integer networks: what lowering decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kdq_ref import infer
from kdq_ref.errors import UnsupportedError
from kdq_ref.operands import MAX_ADD_MULTIPLIER
from kdq_ref.rounding import Requant, Rule, single_rounding
from kdq_ref.verify.accumulators import weight_of
from kdq_ref.verify.network import Encoding, Network, Node, code_bounds, real_bounds, value_shapes
from kdq_ref.verify.tables import FUNCTIONS, table


def own_operator(network: Network, node: Node, rule: Rule = single_rounding) -> infer.Op:
    """Return the integer operator of a node.

    Parameters
    ----------
    network : Network
        Stored as int8.
    node : Node
    rule : Rule
        Of every requantization.

    Raises
    ------
    UnsupportedError
        Where our integer networks have no such operator.
    """
    if node.operator not in (*_LOWER, "global_avg_pool"):
        raise UnsupportedError(f"there is no integer operator {node.operator} yet")
    sources = [network.encodings[name] for name in node.inputs]
    if node.operator == "global_avg_pool":
        height, width, _ = value_shapes(network)[node.inputs[0]]
        requant = _requant(node, rule, sources[0].scale, 1 / (height * width))
        return infer.GlobalAvgPool(sources[0].zero_point, requant)
    return _LOWER[node.operator](node, sources, rule)


def _requant(node: Node, rule: Rule, source: float, weight: np.ndarray | float) -> Requant:
    constants = rule.constants(source, weight, node.output.scale)
    low, high = node.output.limits
    if node.clamp is not None:
        low, high = code_bounds(node.output, node.clamp)
    return Requant(rule, constants, node.output.zero_point, low, high)


def _affine(node: Node, sources: list[Encoding], rule: Rule) -> infer.Op:
    weight = weight_of(node)
    operands: dict[str, Any] = {
        "weight": weight.codes,
        "bias": np.zeros(weight.codes.shape[-1], np.int32) if node.bias is None else node.bias,
        "x_zero_point": sources[0].zero_point,
        "requant": _requant(node, rule, sources[0].scale, weight.scales),
    }
    if node.operator == "dense":
        return infer.Dense(**operands)
    operands |= {"stride": node.stride, "padding": node.padding, "dilation": node.dilation}
    if node.operator == "depthwise_conv2d":
        return infer.DepthwiseConv2d(**operands)
    return infer.Conv2d(**operands, groups=node.groups)


def _kept(node: Node, source: Encoding) -> None:
    if node.output != source or node.clamp is not None:
        raise UnsupportedError(f"{node.operator} only moves codes: it neither rescales nor clamps")


def _max_pool(node: Node, sources: list[Encoding], rule: Rule) -> infer.Op:
    _kept(node, sources[0])
    return infer.MaxPool2d(node.kernel, node.stride, node.padding)


def _avg_pool(node: Node, sources: list[Encoding], rule: Rule) -> infer.Op:
    if any(node.padding):
        raise UnsupportedError("avg_pool2d counts padding as zero here, and not at all there")
    size = node.kernel[0] * node.kernel[1]
    requant = _requant(node, rule, sources[0].scale, 1 / size)
    zero_point = sources[0].zero_point
    return infer.AvgPool2d(node.kernel, node.stride, node.padding, zero_point, requant)


def _add(node: Node, sources: list[Encoding], rule: Rule) -> infer.Op:
    a, b = sources
    larger = max(a.scale, b.scale)
    return infer.Add(
        a_zero_point=a.zero_point,
        b_zero_point=b.zero_point,
        a_multiplier=int(np.rint(a.scale / larger * MAX_ADD_MULTIPLIER)),
        b_multiplier=int(np.rint(b.scale / larger * MAX_ADD_MULTIPLIER)),
        requant=_requant(node, rule, larger, 1 / MAX_ADD_MULTIPLIER),
    )


def _flatten(node: Node, sources: list[Encoding], rule: Rule) -> infer.Op:
    _kept(node, sources[0])
    return infer.Flatten()


def _lookup(node: Node, sources: list[Encoding], rule: Rule) -> infer.Op:
    function = FUNCTIONS.get(node.operator, lambda x: x.clip(*real_bounds(node)))
    return infer.Lookup(table(function, sources[0], node.output))


_LOWER: dict[str, Callable[[Node, list[Encoding], Rule], infer.Op]] = {
    "dense": _affine,
    "conv2d": _affine,
    "depthwise_conv2d": _affine,
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
    "add": _add,
    "relu": _lookup,
    "relu6": _lookup,
    "clip": _lookup,
    "sigmoid": _lookup,
    "tanh": _lookup,
    "hard_swish": _lookup,
    "flatten": _flatten,
}
