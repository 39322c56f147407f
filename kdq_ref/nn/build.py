"""Shorthands that write out a graph: chains, and chains with residual connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from kdq_ref.nn.graph import Graph
from kdq_ref.nn.layer import Layer
from kdq_ref.nn.shape import Add
from kdq_ref.nn.topology import INPUT, Node


@dataclass(frozen=True)
class Residual:
    """``body(x) + shortcut(x)`` inside a `Sequential` (He et al. 2015, arXiv:1512.03385).

    Attributes
    ----------
    body : sequence of layers, (name, layer) or Residual
    shortcut : sequence, optional
        The identity by default.
    """

    body: Sequence[Item]
    shortcut: Sequence[Item] | None = None


Item = Layer | Residual | tuple[str, Layer | Residual]


def Sequential(input_shape: Sequence[int], layers: Sequence[Item]) -> Graph:
    """Chain layers into a graph.

    Parameters
    ----------
    input_shape : sequence of int
        Of one example, without the batch axis.
    layers : sequence of Layer, Residual or (name, Layer or Residual)
        Without a name, a node is called by its kind and its number among those of its kind:
        ``conv1``, ``batchnorm1``, ``relu1``, ``conv2``... A residual block becomes the nodes of
        its body, of its shortcut, and an `Add`, which carries the block's name.

    Returns
    -------
    Graph

    Raises
    ------
    GraphError
        See `Graph`.
    """
    nodes: list[Node] = []
    _append(nodes, Counter(), layers, INPUT)
    return Graph(input_shape, nodes)


def _append(nodes: list[Node], counts: Counter[str], items: Sequence[Item], source: str) -> str:
    """Append a chain that reads `source` and return the name of its result."""
    for item in items:
        name, layer = item if isinstance(item, tuple) else (None, item)
        inputs: tuple[str, ...] = (source,)
        if isinstance(layer, Residual):
            body = _append(nodes, counts, layer.body, source)
            inputs = (body, _append(nodes, counts, layer.shortcut or (), source))
            layer = Add()
        source = name or _numbered(layer, counts)
        nodes.append(Node(source, layer, inputs))
    return source


def _numbered(layer: Layer, counts: Counter[str]) -> str:
    kind = type(layer).__name__.lower().removesuffix("2d")
    counts[kind] += 1
    return f"{kind}{counts[kind]}"
