"""A problem as runtimes are given it: codes and scales, and no multipliers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.models import Problem
from bench.peers import Unsupported
from kdq_ref import nn
from kdq_ref.infer import IntNode
from kdq_ref.verify.network import Encoding, Network, Node, Weight


def scaled_network(problem: Problem) -> Network:
    """Return the network of the integers that peers should compute.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Network
        One input, ``"input"``, and one node for each of the problem's.

    Raises
    ------
    Unsupported
    """
    graph = problem.model.reference
    encodings = {
        name: Encoding("int8", float(np.float32(scale)), zero_point)
        for name in ("input", *(node.name for node in graph.nodes))
        for scale, zero_point in [graph.quantization(name)]
    }
    nodes = tuple(
        Node(
            name=node.name,
            operator=_operator(problem, node),
            inputs=tuple(node.inputs),
            output=encodings[node.name],
            **_FIELDS.get(node.op.kind, _no_fields)(problem, node),
        )
        for node in graph.nodes
    )
    return Network({"input": encodings["input"]}, {"input": graph.input_shape}, nodes, graph.output)


def _operator(problem: Problem, node: IntNode) -> str:
    if node.op.kind != "lookup":
        return node.op.kind
    layer = problem.model.layers[node.name]
    if not isinstance(layer, nn.HardSwish):
        raise Unsupported(f"no operator was written for {type(layer).__name__}")
    return "hard_swish"


def _no_fields(problem: Problem, node: IntNode) -> dict[str, Any]:
    return {}


def _clamped(problem: Problem, node: IntNode) -> dict[str, Any]:
    """The real bounds of the node's clamp."""
    requant: Any = node.op.keywords()["requant"]
    if (requant.qmin, requant.qmax) == (-128, 127):
        return {}
    if requant.qmin != requant.zero_point:
        raise Unsupported("no fused activation clamps from below but at zero")
    return {"clamp": (0.0, float("inf") if requant.qmax == 127 else 6.0)}


def _affine(problem: Problem, node: IntNode) -> dict[str, Any]:
    op: Any = node.op
    scales = np.broadcast_to(problem.model.weight_scales[node.name], op.bias.shape)
    return {"weight": Weight(op.weight, scales), "bias": op.bias, **_clamped(problem, node)}


def _conv(problem: Problem, node: IntNode) -> dict[str, Any]:
    op: Any = node.op
    geometry = {"stride": op.stride, "padding": op.padding, "dilation": op.dilation}
    groups = {"groups": op.groups} if op.kind == "conv2d" else {}
    return {**_affine(problem, node), **geometry, **groups}


def _max_pool(problem: Problem, node: IntNode) -> dict[str, Any]:
    op: Any = node.op
    return {"kernel": op.kernel, "stride": op.stride, "padding": op.padding}


def _avg_pool(problem: Problem, node: IntNode) -> dict[str, Any]:
    op: Any = node.op
    if any(op.padding):
        raise Unsupported("we count padded positions in an average, and peers leave them out")
    if _clamped(problem, node):
        raise Unsupported("a clamp behind average pooling")
    return {"kernel": op.kernel, "stride": op.stride}


_FIELDS: dict[str, Callable[[Problem, IntNode], dict[str, Any]]] = {
    "conv2d": _conv,
    "depthwise_conv2d": _conv,
    "dense": _affine,
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
    "global_avg_pool": _clamped,
    "add": _clamped,
}
