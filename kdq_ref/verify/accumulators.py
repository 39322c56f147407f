"""Exact accumulators of dense layers and convolutions, and the operands they are sums of.

Products of integers in float64 are exact below ``2**53``, which no sum here comes near: BLAS makes
them fast enough to compare ten million outputs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kdq_ref.errors import GraphError
from kdq_ref.geometry import window_output
from kdq_ref.intref.window import window_slices
from kdq_ref.verify.network import Network, Node, Weight

Product = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""``product(columns, weights, zero_point)``: (G, R, K) codes and (G, K, N) weights to the sums of
``(code - zero_point) * weight`` : (G, R, N) int64, in a runtime's own arithmetic."""


def exact_product(columns: np.ndarray, weights: np.ndarray, zero_point: int) -> np.ndarray:
    """Sum exactly; see :data:`Product`."""
    centred = columns.astype(np.float64) - zero_point
    return np.matmul(centred, weights.astype(np.float64)).astype(np.int64)


def accumulate(
    network: Network, node: Node, x: np.ndarray, product: Product = exact_product
) -> np.ndarray:
    """Accumulators of a dense layer or a convolution, without bias.

    A sum runs over ``(kh, kw, channel)``, the channel fastest: that is the order in which
    ``product`` gets its operands.

    Parameters
    ----------
    network : Network
    node : Node
        With a weight.
    x : (B, K) or (B, H, W, C) ndarray
        Codes.
    product : callable

    Returns
    -------
    (B, N) or (B, OH, OW, O) int64 ndarray
    """
    weight = weight_of(node)
    zero_point = network.encodings[node.inputs[0]].zero_point
    if node.operator == "dense":
        return product(x[None], weight.codes[None], zero_point)[0]
    kh, kw, _, c_out = weight.codes.shape
    channels = x.shape[3]
    # A depthwise layer without channels has one empty group.
    groups = max(1, channels) if node.operator == "depthwise_conv2d" else node.groups
    oh, ow = window_output(
        (x.shape[1], x.shape[2]), (kh, kw), node.stride, node.padding, node.dilation
    )
    taps = window_slices(
        x, zero_point, (kh, kw), node.stride, node.padding, node.dilation, (oh, ow)
    )
    depth, rows = kh * kw * (channels // groups), len(x) * oh * ow
    stacked = np.stack([tap for _, tap in taps], axis=3)
    stacked = stacked.reshape(len(x), oh, ow, kh * kw, groups, channels // groups)
    columns = stacked.transpose(4, 0, 1, 2, 3, 5).reshape(groups, rows, depth)
    weights = weight.codes.reshape(depth, groups, c_out // groups)
    sums = product(columns, weights.transpose(1, 0, 2), zero_point)
    return sums.transpose(1, 0, 2).reshape(len(x), oh, ow, c_out)


def weight_of(node: Node) -> Weight:
    """The weight of a node that must have one.

    Raises
    ------
    GraphError
        If it has none.
    """
    if node.weight is None:
        raise GraphError(f"node {node.name!r} ({node.operator}) has no weight")
    return node.weight


def biased(node: Node, acc: np.ndarray) -> np.ndarray:
    """Add the bias in integers, if there is one."""
    return acc if node.bias is None else acc + node.bias
