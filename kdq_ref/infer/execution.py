"""Run an integer network by its definition."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from kdq_ref import intref
from kdq_ref.infer.graph import INPUT, IntGraph, IntNode

Apply = Callable[..., np.ndarray]
"""``apply(node, *codes)``: what a node makes of its inputs."""

_IMAGES_AT_ONCE = 256
"""Bounds the memory of the int64 intermediates; the results do not depend on it."""


def by_definition(node: IntNode, *codes: np.ndarray) -> np.ndarray:
    """Apply the operator's NumPy specification."""
    return node.op.apply(*codes)


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
    return run_in_parts(graph, x, _IMAGES_AT_ONCE, by_definition)


def run_in_parts(graph: IntGraph, x: np.ndarray, images: int, apply: Apply) -> np.ndarray:
    """Run so many images at once, each operator by `apply`; otherwise as :func:`run`."""
    x = graph.check_input(x)
    out = np.empty((len(x), *graph.output_shape), np.int8)
    for start in range(0, len(x), images):
        part = slice(start, start + images)
        for name, value in trace(graph, x[part], apply):
            if name == graph.output:
                out[part] = value
    return out


def trace(
    graph: IntGraph, x: np.ndarray, apply: Apply = by_definition
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every value as ``(name, codes)``, the quantized input first.

    Parameters
    ----------
    graph : IntGraph
    x : (B, *input_shape) float32 or int8 ndarray
    apply : callable
        Computes each node; by default its definition does.
    """
    x = graph.check_input(x)
    if x.dtype != np.int8:
        x = intref.quantize(x, scale=graph.input_scale, zero_point=graph.input_zero_point)
    values = {INPUT: x}
    yield INPUT, x
    last_use = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    for i, node in enumerate(graph.nodes):
        result = apply(node, *(values[name] for name in node.inputs))
        for name in set(node.inputs):
            if last_use[name] == i:
                del values[name]
        values[node.name] = result
        yield node.name, result
