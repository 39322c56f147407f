"""Sums of two products that must fit int16: what they can reach on a runtime that saturates them.

``vpmaddubsw`` multiplies uint8 codes by int8 weights and adds them in pairs; a pair sum beyond
int16 becomes the largest or smallest one, silently. A pair is two neighbours along the sum
``(kh, kw, channel)`` of one group, from the first; an odd last one stands alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kdq_ref.verify.accumulators import weight_of
from kdq_ref.verify.network import Network, Node, code_bounds, real_bounds, value_shapes

INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1

_LOST_IN_FLOAT32 = 2.0**-21
"""Of the sum and the bias: eight roundings of half a unit in the last place, and some room."""

_INT32_SURE = 2.0**30
"""Magnitude below which no rounding reaches beyond int32."""

AFFINE = ("dense", "conv2d", "depthwise_conv2d")


def _mlas(network: Network, node: Node, groups: int) -> bool:
    # Depthwise, or one input and one output channel: a kernel of its own, which is exact.
    shape = weight_of(node).codes.shape
    return node.operator == "dense" or shape[2] != 1 or shape[3] != groups


def _always(network: Network, node: Node, groups: int) -> bool:
    return True


PAIRED: dict[str, Callable[[Network, Node, int], bool]] = {
    "onnxruntime-avx2-default": _mlas,
    "pytorch-fbgemm": _always,
}
"""Dialects whose pair sums saturate, and in which layers: ``saturates(network, node, groups)``."""


@dataclass(frozen=True, eq=False)
class PairBounds:
    """What every pair sum of a layer can reach.

    Attributes
    ----------
    lows, highs : (G, P, N) int64 ndarray
        Of pair P of group G for its output N; channel ``G * N + n``.
    """

    lows: np.ndarray
    highs: np.ndarray

    @property
    def certified(self) -> bool:
        """Whether no pair sum can leave int16."""
        return bool((self.lows >= INT16_MIN).all() and (self.highs <= INT16_MAX).all())

    @property
    def suspects(self) -> int:
        """How many pair sums may leave it."""
        return int(((self.lows < INT16_MIN) | (self.highs > INT16_MAX)).sum())


def layer_of(network: Network, node: Node) -> Network:
    """The node alone, its inputs being the network's."""
    shapes = value_shapes(network)
    inputs = {name: network.encodings[name] for name in node.inputs}
    return Network(inputs, {name: shapes[name] for name in inputs}, (node,), node.name)


def prefix(network: Network, value: str) -> Network:
    """The network up to a value."""
    names = [node.name for node in network.nodes]
    end = names.index(value) + 1 if value in names else 0
    return replace(network, nodes=network.nodes[:end], output=value)


def group_count(network: Network, node: Node) -> int:
    """Groups of a convolution; every channel of a depthwise one; 1 for a dense layer."""
    if node.operator == "depthwise_conv2d":
        return value_shapes(network)[node.inputs[0]][2]
    return node.groups


def grouped_weights(network: Network, node: Node) -> np.ndarray:
    """Weights in the order of the sum : (G, K, N) int64."""
    codes, groups = weight_of(node).codes.astype(np.int64), group_count(network, node)
    taps = int(np.prod(codes.shape[:-2])) if codes.ndim == 4 else 1
    depth = taps * codes.shape[-2]
    return codes.reshape(depth, groups, -1).transpose(1, 0, 2)


def operand_ranges(network: Network, node: Node, codes: np.ndarray) -> np.ndarray:
    """Smallest and largest code of every operand of the sum : (G, K, 2) int64.

    Parameters
    ----------
    network : Network
        Stored as the runtime stores it.
    node : Node
    codes : (C, 2) int64 ndarray
        Intervals of the input's channels.
    """
    if node.operator == "dense":
        return codes[None]
    if any(node.padding):
        zero_point = network.encodings[node.inputs[0]].zero_point
        codes = np.stack(
            [np.minimum(codes[:, 0], zero_point), np.maximum(codes[:, 1], zero_point)], axis=1
        )
    groups = group_count(network, node)
    kh, kw = weight_of(node).codes.shape[:2]
    return np.tile(codes.reshape(groups, -1, 2), (1, kh * kw, 1))


def pair_bounds(weights: np.ndarray, ranges: np.ndarray) -> PairBounds:
    r"""Bound ``x_0 w_0 + x_1 w_1`` for every pair.

    .. math:: \sum_{i} \min(lo_i w_i, hi_i w_i) \le x_0 w_0 + x_1 w_1
        \le \sum_{i} \max(lo_i w_i, hi_i w_i)

    Both ends are reached, as codes are independent of each other in a layer's input.

    Parameters
    ----------
    weights : (G, K, N) int64 ndarray
    ranges : (G, K, 2) int64 ndarray
    """
    low, high = ranges[..., :1] * weights, ranges[..., 1:] * weights
    smallest, largest = np.minimum(low, high), np.maximum(low, high)
    return PairBounds(*(_by_pairs(ends) for ends in (smallest, largest)))


def _by_pairs(products: np.ndarray) -> np.ndarray:
    groups, depth, outputs = products.shape
    even = np.pad(products, ((0, 0), (0, depth % 2), (0, 0)))
    result: np.ndarray = even.reshape(groups, -1, 2, outputs).sum(axis=2)
    return result


def runtime_codes(network: Network, dialect: str) -> dict[str, np.ndarray]:
    """Intervals of every code that a pair-saturating runtime can compute : (C, 2) int64 each.

    Pair sums are bounded after their saturation. Every runtime computes a code less than 1 from
    the real number it rounds, but for what float32 loses: a few parts in ``2**24`` of the sum and
    of a real bias, which may cancel each other. So that much and one code more on either side hold
    whatever it computes. Beyond int32 a large number may become the smallest one (``cvtps2dq``):
    there, and where nothing finer is known, the clamp holds, which every runtime applies last.

    Parameters
    ----------
    network : Network
        Stored in uint8.
    dialect : str
        One of :data:`PAIRED`.
    """
    shapes = value_shapes(network)
    codes = {
        name: _everywhere(encoding.limits, shapes[name][-1])
        for name, encoding in network.inputs.items()
    }
    for node in network.nodes:
        source = codes[node.inputs[0]]
        if node.operator == "max_pool2d":
            codes[node.name] = source
        elif node.operator == "flatten":
            codes[node.name] = np.tile(source, (int(np.prod(shapes[node.inputs[0]][:-1])), 1))
        elif node.operator in AFFINE:
            codes[node.name] = _affine_codes(network, node, source, dialect)
        else:
            codes[node.name] = _everywhere(_clamp(node), shapes[node.name][-1])
    return codes


def _everywhere(limits: tuple[int, int], channels: int) -> np.ndarray:
    return np.tile(np.array([limits], np.int64), (channels, 1))


def _clamp(node: Node) -> tuple[int, int]:
    if node.operator in ("relu", "relu6", "clip"):
        return code_bounds(node.output, real_bounds(node))
    return node.output.limits if node.clamp is None else code_bounds(node.output, node.clamp)


def _affine_codes(network: Network, node: Node, source: np.ndarray, dialect: str) -> np.ndarray:
    weights, encoding = grouped_weights(network, node), network.encodings[node.inputs[0]]
    bounds = pair_bounds(weights, operand_ranges(network, node, source))
    ends = bounds.lows, bounds.highs
    if PAIRED[dialect](network, node, group_count(network, node)):
        ends = tuple(np.clip(end, INT16_MIN, INT16_MAX) for end in ends)
    shift = encoding.zero_point * weights.sum(axis=1)
    sums = np.stack([(end.sum(axis=1) - shift).reshape(-1) for end in ends], axis=1)
    bias = np.zeros(len(sums), np.int64) if node.bias is None else node.bias.astype(np.int64)
    scales = weight_of(node).scales.astype(np.float64)
    multiplier = np.broadcast_to(encoding.scale * scales / node.output.scale, bias.shape)
    real = (sums + bias[:, None]) * multiplier[:, None]
    lost = (np.abs(sums).max(axis=1) + np.abs(bias)) * multiplier * _LOST_IN_FLOAT32
    codes = real + node.output.zero_point
    wide = np.stack([np.floor(codes[:, 0] - lost) - 1, np.ceil(codes[:, 1] + lost) + 1], axis=1)
    low, high = _clamp(node)
    overflows = np.abs(real).max(axis=1) + lost >= _INT32_SURE
    return np.where(overflows[:, None], (low, high), np.clip(wide, low, high)).astype(np.int64)
