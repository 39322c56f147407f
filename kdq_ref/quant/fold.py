"""Batch norm folding: the network that inference needs, without its training aids."""

from __future__ import annotations

from collections import Counter

import numpy as np

from kdq_ref.checks import check_finite
from kdq_ref.errors import GraphError
from kdq_ref.nn import BatchNorm, Conv2d, Dense, DepthwiseConv2d, Dropout, Graph, Layer, Node

AFFINE = (Dense, Conv2d, DepthwiseConv2d)
"""Layers with weights ``w`` (last axis: output channel) and perhaps a bias ``b``."""


def fold_batch_norm(graph: Graph) -> Graph:
    r"""Return an equal network without batch norm and dropout.

    With running statistics, batch norm is ``y = gain * x + shift`` per channel, where

    .. math:: gain = \frac{\gamma}{\sqrt{var + \epsilon}}, \quad shift = \beta - gain \cdot mean

    After an affine layer that nothing else reads it becomes part of that layer
    (``w' = w * gain``, ``b' = b * gain + shift``, computed in float64), which keeps its name.
    Anywhere else on images it becomes a depthwise 1x1 convolution under its own name. Dropout,
    which does nothing in inference, disappears (Jacob et al. 2018, arXiv:1712.05877, section 3.2).

    Parameters
    ----------
    graph : Graph
        Left as it is; the result shares no array with it.

    Returns
    -------
    Graph

    Raises
    ------
    GraphError
        For batch norm of vectors that no Dense layer produces for it alone.
    NotFiniteError
        If folded weights are NaN or infinite; the message names the node.
    """
    graph = _drop_dropout(graph)
    shapes = graph.shapes()
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    renamed: dict[str, str] = {}
    folded: dict[str, Node] = {}
    for node in graph.nodes:
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        if not isinstance(node.layer, BatchNorm):
            folded[node.name] = Node(node.name, node.layer.copy(), inputs)
            continue
        gain, shift = _gain_and_shift(node.layer)
        feeder = folded.get(inputs[0])
        if feeder and isinstance(feeder.layer, AFFINE) and readers[node.inputs[0]] == 1:
            layer = _rescaled(feeder.name, feeder.layer, gain, shift)
            folded[feeder.name] = Node(feeder.name, layer, feeder.inputs)
            renamed[node.name] = feeder.name
        else:
            layer = _depthwise(node.name, node.layer, shapes[node.name], gain, shift)
            folded[node.name] = Node(node.name, layer, inputs)
    output = renamed.get(graph.output, graph.output)
    return Graph(graph.input_shape, folded.values(), output)


def _drop_dropout(graph: Graph) -> Graph:
    source: dict[str, str] = {}
    kept = []
    for node in graph.nodes:
        inputs = tuple(source.get(name, name) for name in node.inputs)
        if isinstance(node.layer, Dropout):
            source[node.name] = inputs[0]
        else:
            kept.append(Node(node.name, node.layer, inputs))
    if not kept:
        raise GraphError("the network is nothing but dropout: there is nothing to quantize")
    return Graph(graph.input_shape, kept, source.get(graph.output, graph.output))


def _gain_and_shift(layer: BatchNorm) -> tuple[np.ndarray, np.ndarray]:
    gamma, beta = (layer.params[key].astype(np.float64) for key in ("gamma", "beta"))
    mean, var = (layer.buffers[key].astype(np.float64) for key in ("mean", "var"))
    with np.errstate(divide="ignore", invalid="ignore"):  # reported by the caller, with a name
        gain = gamma / np.sqrt(var + layer.eps)
        return gain, beta - gain * mean


def _rescaled(name: str, layer: Layer, gain: np.ndarray, shift: np.ndarray) -> Layer:
    twin = layer.copy()
    dtype = twin.params["w"].dtype
    bias = twin.params.get("b", np.zeros(len(gain), dtype))
    with np.errstate(over="ignore", invalid="ignore"):  # reported by the checks
        twin.params["w"] = (twin.params["w"] * gain).astype(dtype)
        twin.params["b"] = (bias * gain + shift).astype(dtype)
    for key, value in twin.params.items():
        check_finite(f"{name}.{key} with the batch norm behind it", value)
    return twin


def _depthwise(
    name: str, layer: BatchNorm, shape: tuple[int, ...], gain: np.ndarray, shift: np.ndarray
) -> Layer:
    if len(shape) != 3:
        raise GraphError(
            f"node {name!r}: batch norm of vectors can only be folded into a Dense layer that "
            f"feeds nothing else; move it right behind one"
        )
    twin = DepthwiseConv2d(len(gain), 1, padding="valid", rng=np.random.default_rng(0))
    ones = twin.astype(layer.params["gamma"].dtype)
    ones.params["w"][...] = 1
    return _rescaled(name, ones, gain, shift)
