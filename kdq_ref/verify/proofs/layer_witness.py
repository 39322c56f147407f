"""An input of a single layer that saturates a pair sum and changes a code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kdq_ref.geometry import window_output
from kdq_ref.verify.accumulators import weight_of
from kdq_ref.verify.dialect import Dialect
from kdq_ref.verify.network import Network, Node, code_bounds
from kdq_ref.verify.proofs.exact_twin import exact_twin, twin_input
from kdq_ref.verify.proofs.pair_sums import (
    INT16_MAX,
    INT16_MIN,
    group_count,
    grouped_weights,
    pair_bounds,
)

_CHANNELS = 8
"""How many channels are tried, those that saturate most first."""


@dataclass(frozen=True, eq=False)
class _Window:
    """One place of the sum in the layer's input.

    Attributes
    ----------
    taps : (kh * kw, 2) int64 ndarray or None
        Row and column of every tap; None for a dense layer.
    inside : (kh * kw,) bool ndarray
    """

    taps: np.ndarray | None
    inside: np.ndarray


def layer_witness(layer: Network, codes: np.ndarray, dialect: Dialect) -> np.ndarray | None:
    """Find codes that saturate the layer and change what it computes.

    The pairs that overshoot most are driven to their ends; all other operands steer the exact
    accumulator to where the loss crosses a rounding boundary in the middle of the output's range.

    Parameters
    ----------
    layer : Network
        One dense layer or convolution, stored in uint8.
    codes : (C, 2) int64 ndarray
        Intervals of the input's channels.
    dialect : Dialect
        One that saturates.

    Returns
    -------
    (1, ...) uint8 ndarray or None
        None if no attempt changed a code.
    """
    (node,) = layer.nodes
    weights, twin = grouped_weights(layer, node), exact_twin(layer)
    for window in _windows(layer, node):
        ranges = _ranges_at(layer, node, codes, window)
        attempts = list(_attempts(layer, node, weights, ranges))
        if not attempts:
            continue
        x = np.concatenate([_placed(layer, codes, window, g, values) for g, values in attempts])
        (name,) = layer.inputs
        saturated = dialect.run(layer, {name: x})[node.name]
        exact = dialect.run(twin, {name: twin_input(x)})[node.name]
        changed = np.flatnonzero((saturated != exact).reshape(len(x), -1).any(axis=1))
        if len(changed):
            return x[changed[0]][None]
    return None


def _windows(layer: Network, node: Node) -> Iterator[_Window]:
    """The window in the middle, then those at the corners."""
    if node.operator == "dense":
        yield _Window(None, np.ones(1, bool))
        return
    (shape,) = layer.shapes.values()
    kernel = weight_of(node).codes.shape[:2]
    size = window_output(
        (shape[0], shape[1]), (kernel[0], kernel[1]), node.stride, node.padding, node.dilation
    )
    ends = [sorted({0, length - 1}) for length in size]
    places = [(size[0] // 2, size[1] // 2), *((y, x) for y in ends[0] for x in ends[1])]
    for y, x in dict.fromkeys(places):
        rows = y * node.stride[0] - node.padding[0] + np.arange(kernel[0]) * node.dilation[0]
        columns = x * node.stride[1] - node.padding[2] + np.arange(kernel[1]) * node.dilation[1]
        taps = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
        inside = (taps >= 0) & (taps < np.array(shape[:2]))
        yield _Window(taps, np.asarray(inside.all(axis=1)))


def _ranges_at(layer: Network, node: Node, codes: np.ndarray, window: _Window) -> np.ndarray:
    """Ranges of the operands : (G, K, 2); what is padding there is the zero point."""
    if window.taps is None:
        return codes[None]
    groups, zero_point = group_count(layer, node), layer.encodings[node.inputs[0]].zero_point
    ranges = np.tile(codes.reshape(groups, 1, -1, 2), (1, len(window.taps), 1, 1))
    ranges[:, ~window.inside] = zero_point
    return ranges.reshape(groups, -1, 2)


def _attempts(
    layer: Network, node: Node, weights: np.ndarray, ranges: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield a group and (K,) codes of its operands, for the channels that overshoot most."""
    bounds = pair_bounds(weights, ranges)
    encoding, outputs = layer.encodings[node.inputs[0]], weights.shape[2]
    scales = np.broadcast_to(weight_of(node).scales.astype(np.float64), weights.shape[0] * outputs)
    bias = np.zeros(len(scales), np.int64) if node.bias is None else node.bias.astype(np.int64)
    for sign, beyond in ((1, bounds.highs - INT16_MAX), (-1, INT16_MIN - bounds.lows)):
        beyond = np.maximum(beyond, 0)
        totals = beyond.sum(axis=1).reshape(-1)
        for channel in np.argsort(-totals, kind="stable")[:_CHANNELS]:
            if totals[channel] == 0:
                break
            g, n = divmod(int(channel), outputs)
            w, over = weights[g, :, n], beyond[g, :, n]
            order = np.argsort(-over, kind="stable")[: int((over > 0).sum())]
            for used in {1, (len(order) + 1) // 2, len(order)}:
                chosen = order[:used]
                loss = sign * int(over[chosen].sum())
                step = encoding.scale * scales[channel] / node.output.scale
                x, free = _driven(w, ranges[g], chosen, sign, encoding.zero_point)
                start = int(((x - encoding.zero_point) * w).sum()) + int(bias[channel])
                # How far the free operands can move the accumulator, down and up.
                moves = (ranges[g] - x[:, None]) * w[:, None]
                room = [int(end[free].sum()) for end in (moves.min(axis=1), moves.max(axis=1))]
                target = _target(node, step, loss, start + room[0], start + room[1])
                yield g, _steered(w, ranges[g], x, free, target - start)


def _driven(
    w: np.ndarray, ranges: np.ndarray, chosen: np.ndarray, sign: int, zero_point: int
) -> tuple[np.ndarray, np.ndarray]:
    """Codes with the chosen pairs at their ends, all others neutral; and which those are."""
    free = np.ones(len(w) + 1, bool)
    free[2 * chosen] = free[2 * chosen + 1] = False
    low, high = ranges.T
    ends = np.where(sign * w > 0, high, low)
    return np.where(free[:-1], np.clip(zero_point, low, high), ends), free[:-1]


def _target(node: Node, step: float, loss: int, low: int, high: int) -> int:
    """An accumulator half a loss beyond a rounding boundary, if there is one in [low, high].

    As near as may be to the middle of the codes that the node's clamp leaves.
    """
    first, last = node.output.limits if node.clamp is None else code_bounds(node.output, node.clamp)
    middle = (first + last) // 2 - node.output.zero_point
    nearest = min(max((middle + 0.5) / step + loss / 2, low), high)
    code = round((nearest - loss / 2) * step - 0.5)
    for near in (code, code - 1, code + 1):
        target = round((near + 0.5) / step + loss / 2)
        if low <= target <= high:
            return target
    return round(nearest)


def _steered(
    w: np.ndarray, ranges: np.ndarray, x: np.ndarray, free: np.ndarray, left: int
) -> np.ndarray:
    """Move free codes, those of large weights first, so that the sum grows by about ``left``."""
    x, (low, high) = x.copy(), ranges.T
    for k in np.argsort(-np.abs(w), kind="stable"):
        if free[k] and w[k]:
            moved = int(np.clip(x[k] + round(left / int(w[k])), low[k], high[k]))
            left -= (moved - int(x[k])) * int(w[k])
            x[k] = moved
    return x


def _placed(
    layer: Network, codes: np.ndarray, window: _Window, g: int, values: np.ndarray
) -> np.ndarray:
    """A whole input of the layer with these operands in a window, zero points around : (1, ...)."""
    ((name, shape),) = layer.shapes.items()
    zero_point = layer.encodings[name].zero_point
    x = np.broadcast_to(np.clip(zero_point, codes[:, 0], codes[:, 1]), shape).astype(np.uint8)
    x = x[None].copy()
    if window.taps is None:
        x[0] = values
        return x
    taps = values.reshape(len(window.taps), -1)
    first = g * taps.shape[1]
    for (row, column), tap, inside in zip(window.taps, taps, window.inside, strict=True):
        if inside:
            x[0, row, column, first : first + taps.shape[1]] = tap
    return x
