"""Nodes, and what makes a set of them a network."""

from __future__ import annotations

import operator
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from kdq_ref.errors import GraphError, ShapeError
from kdq_ref.nn.layer import Layer, Shape

INPUT = "input"
"""Name of the value that the network reads."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Node:
    """One layer in its place.

    Attributes
    ----------
    name : str
        A letter, then letters, digits and underscores; also the name of its value.
    layer : Layer
    inputs : tuple of str
        Names of the values that it reads, ``"input"`` or other nodes.
    """

    name: str
    layer: Layer
    inputs: tuple[str, ...]


def sort_nodes(nodes: tuple[Node, ...], output: str) -> tuple[Node, ...]:
    """Return the nodes in topological order, otherwise in the order given.

    Raises
    ------
    GraphError
        If they do not make a network that computes `output`.
    """
    _check_names(nodes)
    _check_edges(nodes, output)
    known = {INPUT}
    ordered: list[Node] = []
    waiting = list(nodes)
    while waiting:
        ready = next((node for node in waiting if known.issuperset(node.inputs)), None)
        if ready is None:
            names = ", ".join(repr(node.name) for node in waiting)
            raise GraphError(f"nodes {names} form a cycle, or wait for one")
        waiting.remove(ready)
        ordered.append(ready)
        known.add(ready.name)
    _check_all_used(ordered, output)
    return tuple(ordered)


def as_input_shape(sizes: Any) -> Shape:
    """Return the input's shape as a tuple of positive ints.

    Raises
    ------
    GraphError
    """
    try:
        shape = tuple(operator.index(size) for size in sizes)
    except TypeError:
        shape = ()
    if not shape or min(shape) < 1:
        raise GraphError(f"input_shape must be one or more positive ints, got {sizes!r}")
    return shape


def infer_shapes(input_shape: Shape, nodes: tuple[Node, ...]) -> dict[str, Shape]:
    """Shape of every value, from the input's on.

    Raises
    ------
    GraphError
        Naming the node that cannot read what it is given.
    """
    shapes = {INPUT: input_shape}
    for node in nodes:
        found = tuple(shapes[name] for name in node.inputs)
        try:
            shapes[node.name] = node.layer.output_shape(
                found if node.layer.inputs > 1 else found[0]
            )
        except ShapeError as error:
            raise GraphError(f"node {node.name!r}: {error}") from error
    return shapes


def _check_names(nodes: tuple[Node, ...]) -> None:
    for node in nodes:
        if not isinstance(node.name, str) or not _NAME.fullmatch(node.name) or node.name == INPUT:
            raise GraphError(
                f"node name {node.name!r}: use a letter, then letters, digits and underscores "
                f"({INPUT!r} is the network's input)"
            )
    for name, count in Counter(node.name for node in nodes).items():
        if count > 1:
            raise GraphError(f"{count} nodes are called {name!r}; names must be unique")
    owner: dict[int, str] = {}
    for node in nodes:
        other = owner.setdefault(id(node.layer), node.name)
        if other != node.name:
            raise GraphError(
                f"nodes {other!r} and {node.name!r} share one layer; give each its own"
            )


def _check_edges(nodes: tuple[Node, ...], output: str) -> None:
    names = {INPUT} | {node.name for node in nodes}
    for node in nodes:
        if len(node.inputs) != node.layer.inputs:
            raise GraphError(
                f"node {node.name!r}: {type(node.layer).__name__} reads {node.layer.inputs} "
                f"value(s), got inputs {node.inputs}"
            )
        for name in node.inputs:
            if name not in names:
                raise GraphError(f"node {node.name!r} reads {name!r}, which does not exist")
    if output not in names - {INPUT}:
        raise GraphError(f"output {output!r} is not a node")


def _check_all_used(ordered: list[Node], output: str) -> None:
    used = {output}
    for node in reversed(ordered):
        if node.name not in used:
            raise GraphError(f"node {node.name!r} does not contribute to the output {output!r}")
        used.update(node.inputs)
