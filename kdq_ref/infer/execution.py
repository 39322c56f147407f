"""Run an integer network by its definition."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kdq_ref import intref
from kdq_ref.infer.graph import INPUT, IntGraph

_IMAGES_AT_ONCE = 256
"""Bounds the memory of the int64 intermediates; the results do not depend on it."""


def run(graph: IntGraph, x: np.ndarray) -> np.ndarray:
    """Run every operator's NumPy specification.

    Parameters
    ----------
    graph : IntGraph
    x : (B, *input_shape) float32 or int8 ndarray
        Real values (finite), or codes already quantized with the network's input scale.

    Returns
    -------
    (B, *output_shape) int8 ndarray

    Raises
    ------
    DTypeError, ShapeError, NotFiniteError
    """
    x = graph.check_input(x)
    out = np.empty((len(x), *graph.output_shape), np.int8)
    for start in range(0, len(x), _IMAGES_AT_ONCE):
        part = slice(start, start + _IMAGES_AT_ONCE)
        for name, value in trace(graph, x[part]):
            if name == graph.output:
                out[part] = value
    return out


def trace(graph: IntGraph, x: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every value as ``(name, codes)``, the quantized input first.

    Parameters
    ----------
    graph : IntGraph
    x : (B, *input_shape) float32 or int8 ndarray
    """
    x = graph.check_input(x)
    if x.dtype != np.int8:
        x = intref.quantize(x, scale=graph.input_scale, zero_point=graph.input_zero_point)
    values = {INPUT: x}
    yield INPUT, x
    last_use = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    for i, node in enumerate(graph.nodes):
        result = node.op.apply(*(values[name] for name in node.inputs))
        for name in set(node.inputs):
            if last_use[name] == i:
                del values[name]
        values[node.name] = result
        yield node.name, result
