"""From networks of this project to networks that every runtime can be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kdq_ref import infer, nn
from kdq_ref.errors import UnsupportedError
from kdq_ref.infer import IntGraph, IntNode
from kdq_ref.infer.graph import INPUT
from kdq_ref.quant import lower
from kdq_ref.quant.spec import QuantSpec
from kdq_ref.quant.stages import split_stages
from kdq_ref.verify.network import Encoding, Network, Node, Weight

_ACTIVATIONS: dict[type[nn.Layer], str] = {
    nn.HardSwish: "hard_swish",
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
}


def quantized_network(graph: nn.Graph, spec: QuantSpec) -> Network:
    """The quantized network of a float network: its integers and scales, and no rounding.

    Parameters
    ----------
    graph : Graph
        Without batch norm and dropout.
    spec : QuantSpec
        From :func:`kdq_ref.quant.calibrate` of this graph.

    Raises
    ------
    UnsupportedError
        For an activation that has no name in networks.
    """
    stages = split_stages(graph)
    scales = {
        stage.name: np.asarray(spec.weights[stage.node.name], np.float32)
        for stage in stages
        if stage.affine
    }
    return describe(lower(graph, spec), scales, {stage.name: stage.node.layer for stage in stages})


def describe(
    graph: IntGraph, weight_scales: Mapping[str, np.ndarray], layers: Mapping[str, nn.Layer]
) -> Network:
    """The same network before the decisions of lowering: scales instead of multipliers.

    Parameters
    ----------
    graph : IntGraph
    weight_scales : mapping of str to (C,) or (1,) float32 ndarray
        Of every affine node.
    layers : mapping of str to Layer
        The float layer of every node; those of tables are needed.

    Returns
    -------
    Network
        Stored as int8; its input is called ``"input"``.

    Raises
    ------
    UnsupportedError
        For a table of a function that has no name here, and for padded averages.
    """
    return Network(
        {INPUT: Encoding("int8", graph.input_scale, graph.input_zero_point)},
        {INPUT: graph.input_shape},
        tuple(_node(node, weight_scales, layers) for node in graph.nodes),
        graph.output,
    )


def _node(
    node: IntNode, weight_scales: Mapping[str, np.ndarray], layers: Mapping[str, nn.Layer]
) -> Node:
    op, output = node.op, Encoding("int8", node.scale, node.zero_point)
    plain = Node(node.name, op.kind, node.inputs, output, clamp=_clamp(op, output))
    fields = op.keywords()
    geometry: dict[str, Any] = {
        name: fields[name]
        for name in ("kernel", "stride", "padding", "dilation", "groups")
        if name in fields
    }
    if isinstance(op, infer.Dense | infer.Conv2d | infer.DepthwiseConv2d):
        scales = np.asarray(weight_scales[node.name], np.float32)
        geometry |= {"weight": Weight(np.asarray(op.weight), scales), "bias": op.bias}
    elif isinstance(op, infer.Lookup):
        layer = layers[node.name]
        if type(layer) not in _ACTIVATIONS:
            raise UnsupportedError(f"no operator of networks is {type(layer).__name__}")
        geometry["operator"] = _ACTIVATIONS[type(layer)]
    elif isinstance(op, infer.AvgPool2d) and any(op.padding):
        raise UnsupportedError("padded averages count zeros here, and leave them out elsewhere")
    return replace(plain, **geometry)


def _clamp(op: infer.Op, output: Encoding) -> tuple[float, float] | None:
    """The real bounds that a requantization clamps to, where they are tighter than the storage."""
    requant = op.keywords().get("requant")
    if requant is None or (requant.qmin, requant.qmax) == output.limits:
        return None
    low, high = (
        output.scale * (bound - output.zero_point) for bound in (requant.qmin, requant.qmax)
    )
    return low, float("inf") if requant.qmax == output.limits[1] else high
