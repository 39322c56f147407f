"""Layers by name, for building a graph from its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdq_ref.errors import GraphError, InvalidArgumentError
from kdq_ref.nn import activation, conv, dense, dropout, norm, pool, shape
from kdq_ref.nn.layer import Layer

LAYERS: dict[str, type[Layer]] = {
    cls.__name__: cls
    for cls in (
        dense.Dense,
        conv.Conv2d,
        conv.DepthwiseConv2d,
        pool.MaxPool2d,
        pool.AvgPool2d,
        pool.GlobalAvgPool,
        norm.BatchNorm,
        dropout.Dropout,
        shape.Flatten,
        shape.Add,
        activation.ReLU,
        activation.ReLU6,
        activation.LeakyReLU,
        activation.Sigmoid,
        activation.Tanh,
        activation.GELU,
        activation.HardSwish,
    )
}
"""Every layer class, by the name that configurations use."""


def layer_from_config(
    node: str, kind: str, config: Mapping[str, Any], rng: np.random.Generator
) -> Layer:
    """Build the layer `kind` for a node.

    Raises
    ------
    GraphError
        If there is no such layer, or it does not take such arguments.
    """
    if kind not in LAYERS:
        raise GraphError(f"node {node!r}: no layer is called {kind!r}; layers: {list(LAYERS)}")
    try:
        return LAYERS[kind].from_config(dict(config), rng)
    except (InvalidArgumentError, TypeError, ValueError) as error:
        raise GraphError(f"node {node!r}: {kind} cannot be built: {error}") from error
