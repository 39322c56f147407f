"""Stages: which float nodes become one integer operator.

Calibration observes the value of each stage and lowering makes one operator of each, so that both
agree on what is fused.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from kdq_ref.errors import GraphError
from kdq_ref.nn import (
    Add,
    AvgPool2d,
    BatchNorm,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Graph,
    MaxPool2d,
    Node,
    ReLU,
    ReLU6,
)
from kdq_ref.nn.activation import Activation
from kdq_ref.quant.fold import AFFINE

REQUANTIZING = (*AFFINE, Add, AvgPool2d, GlobalAvgPool)
"""Layers whose integer form ends in a requantization, and so in a clamp."""
KEEPING = (MaxPool2d, Flatten)
"""Layers that only move codes: the value keeps its input's scale and zero point."""


@dataclass(frozen=True)
class Stage:
    """One operator of the integer network to be.

    Attributes
    ----------
    name : str
        Of the float node whose value the stage holds: the fused activation's, if there is one.
    node : Node
        The float node that is computed.
    clamp : ReLU, ReLU6 or None
        The activation behind it, which becomes the clamp of its requantization.
    """

    name: str
    node: Node
    clamp: ReLU | ReLU6 | None = None

    @property
    def affine(self) -> bool:
        """Whether the stage has weights."""
        return isinstance(self.node.layer, AFFINE)

    @property
    def keeps_params(self) -> bool:
        """Whether the value has the scale and zero point of its input."""
        return isinstance(self.node.layer, KEEPING)


def split_stages(graph: Graph) -> tuple[Stage, ...]:
    """Divide a network into stages, in topological order.

    A ReLU or ReLU6 directly behind a layer that requantizes, and its only reader, is fused; any
    other activation is a stage of its own.

    Parameters
    ----------
    graph : Graph
        Without batch norm and dropout.

    Returns
    -------
    tuple of Stage

    Raises
    ------
    GraphError
        Naming the node whose layer has no integer form.
    """
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    stages: dict[str, Stage] = {}
    for node in graph.nodes:
        _check_supported(node)
        source = stages.get(node.inputs[0])
        if (
            isinstance(node.layer, ReLU | ReLU6)
            and source is not None
            and isinstance(source.node.layer, REQUANTIZING)
            and source.clamp is None
            and readers[source.name] == 1
        ):
            del stages[source.name]
            stages[node.name] = Stage(node.name, source.node, node.layer)
        else:
            stages[node.name] = Stage(node.name, node)
    return tuple(stages.values())


def _check_supported(node: Node) -> None:
    if isinstance(node.layer, (*REQUANTIZING, *KEEPING, Activation)):
        return
    kind = type(node.layer).__name__
    advice = (
        "call fold_batch_norm first"
        if isinstance(node.layer, BatchNorm | Dropout)
        else "replace it by layers of kdq_ref.nn"
    )
    raise GraphError(f"node {node.name!r}: {kind} has no integer form; {advice}")
