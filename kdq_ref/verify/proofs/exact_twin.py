"""The same layer without pairs: a zero between all weights, so that no pair has two products.

A product of a uint8 code and a weight fits int16 by itself (at most ``255 * 128``). The
runtime that saturates pair sums computes the twin exactly, by its own rule and its own kernels; and
where the two differ, nothing but saturation is the cause.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kdq_ref.verify.accumulators import weight_of
from kdq_ref.verify.network import Network, Node, Weight
from kdq_ref.verify.proofs.pair_sums import group_count


def exact_twin(layer: Network) -> Network:
    """Return a layer of twice as many input channels that computes the same, unsaturated.

    Parameters
    ----------
    layer : Network
        One dense layer or convolution.
    """
    (node,), (source,) = layer.nodes, layer.inputs
    codes = weight_of(node).codes
    # One input channel of a group of a depthwise layer becomes two: it is a grouped one then.
    fields: dict[str, object] = {}
    if node.operator != "dense":
        fields = {"operator": "conv2d", "groups": group_count(layer, node)}
    spread = np.zeros((*codes.shape[:-2], 2 * codes.shape[-2], codes.shape[-1]), codes.dtype)
    spread[..., ::2, :] = codes
    weight = Weight(spread, weight_of(node).scales)
    twin: Node = replace(node, weight=weight, **fields)  # type: ignore[arg-type]
    shape = layer.shapes[source]
    return Network(layer.inputs, {source: (*shape[:-1], 2 * shape[-1])}, (twin,), node.name)


def twin_input(x: np.ndarray) -> np.ndarray:
    """What the twin is fed with: every channel, and one beside it that does not count."""
    return np.repeat(x, 2, axis=-1)
