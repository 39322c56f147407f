"""Which accumulators and codes an integer network can reach, channel by channel.

Intervals go from the input through the nodes. An accumulator is monotone in every code it is made
of, so its interval follows from theirs; and a rule never gives a larger accumulator a smaller
code, so the codes follow from the two ends. (``fbgemm`` overflows to INT32_MIN: there the
clamp is all that is known.) Every interval is sound: it may be wider than what inputs reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kdq_ref.geometry import window_output
from kdq_ref.infer import IntGraph, IntNode
from kdq_ref.infer.graph import INPUT
from kdq_ref.infer.ops import (
    Add,
    Affine,
    AvgPool2d,
    Dense,
    DepthwiseConv2d,
    Flatten,
    GlobalAvgPool,
    Lookup,
)
from kdq_ref.rounding import Requant, fbgemm

FLOAT32_EXACT = 2**24
"""Largest magnitude up to which float32 holds every integer."""


@dataclass(frozen=True, eq=False)
class Reach:
    """Intervals of every value, both ends included.

    Attributes
    ----------
    codes : dict of str to (C, 2) int64 ndarray
        Of every value; C is the last axis of its shape.
    accumulators : dict of str to (C, 2) int64 ndarray
        Of every node that requantizes.
    """

    codes: dict[str, np.ndarray]
    accumulators: dict[str, np.ndarray]


def reach(graph: IntGraph) -> Reach:
    """Bound every accumulator and every code of a network, for all inputs."""
    codes = {INPUT: _everywhere(-128, 127, graph.input_shape[-1])}
    accumulators: dict[str, np.ndarray] = {}
    for node in graph.nodes:
        sources = [codes[name] for name in node.inputs]
        shapes = [graph.shapes[name] for name in node.inputs]
        requant = getattr(node.op, "requant", None)
        if requant is None:
            codes[node.name] = _moved(node, sources[0], shapes[0])
        else:
            accumulators[node.name] = _accumulators(node, sources, shapes)
            codes[node.name] = code_interval(requant, accumulators[node.name])
    return Reach(codes, accumulators)


def code_interval(requant: Requant, accumulators: np.ndarray) -> np.ndarray:
    """Codes of accumulators between two ends : (C, 2) int64.

    Parameters
    ----------
    requant : Requant
    accumulators : (C, 2) int64 ndarray
    """
    if requant.rule is fbgemm:
        return _everywhere(requant.qmin, requant.qmax, len(accumulators))
    ends: np.ndarray = requant.apply(accumulators.T)
    return ends.T.astype(np.int64)


def inexact_in_float32(accumulators: np.ndarray) -> np.ndarray:
    """Channels whose accumulators may leave ``[-2**24, 2**24]`` : indices.

    There ``float32(acc)`` rounds, and rules in float32 lose bits before they multiply.
    """
    return np.flatnonzero(np.abs(accumulators).max(axis=1) > FLOAT32_EXACT)


def _everywhere(low: int, high: int, channels: int) -> np.ndarray:
    return np.tile(np.array([[low, high]], np.int64), (channels, 1))


def _moved(node: IntNode, source: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Codes of a node that computes none: it moves them, or looks them up."""
    if isinstance(node.op, Lookup):
        table = node.op.table.astype(np.int64)
        parts = [table[low + 128 : high + 129] for low, high in source]
        return np.array([[part.min(), part.max()] for part in parts])
    if isinstance(node.op, Flatten):
        # Channels vary fastest.
        return np.tile(source, (int(np.prod(shape[:-1])), 1))
    return source


def _accumulators(
    node: IntNode, sources: list[np.ndarray], shapes: list[tuple[int, ...]]
) -> np.ndarray:
    op: Any = node.op
    if isinstance(op, Affine):
        return _affine(op, sources[0], shapes[0])
    if isinstance(op, Add):
        a = (sources[0] - op.a_zero_point) * op.a_multiplier
        return a + (sources[1] - op.b_zero_point) * op.b_multiplier
    centred = sources[0] - op.x_zero_point
    if isinstance(op, GlobalAvgPool):
        return centred * (shapes[0][0] * shapes[0][1])
    assert isinstance(op, AvgPool2d)
    most = op.kernel[0] * op.kernel[1]
    fewest = _fewest_inside(op, shapes[0])
    # A window with fewer terms reaches less far, on either side.
    low = np.minimum(centred[:, 0] * most, centred[:, 0] * fewest)
    return np.stack([low, np.maximum(centred[:, 1] * most, centred[:, 1] * fewest)], axis=1)


def _fewest_inside(op: AvgPool2d, shape: tuple[int, ...]) -> int:
    """How many positions of a window are inside the image, at least."""
    size = window_output((shape[0], shape[1]), op.kernel, op.stride, op.padding)
    counts = []
    for axis, before in ((0, op.padding[0]), (1, op.padding[2])):
        first = np.arange(size[axis]) * op.stride[axis] - before
        last = np.minimum(first + op.kernel[axis], shape[axis])
        counts.append(int((last - np.maximum(first, 0)).min()))
    return counts[0] * counts[1]


def _affine(op: Affine, source: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``bias + sum over k of the smallest and largest (x - z) * w`` : (C, 2)."""
    weight, outputs = op.weight.astype(np.int64), op.weight.shape[-1]
    centred = source - op.x_zero_point
    if isinstance(op, Dense):
        groups, taps = 1, weight[None]
    else:
        # What padding adds is 0.
        if any(op.padding):  # type: ignore[attr-defined]
            centred = np.stack([np.minimum(centred[:, 0], 0), np.maximum(centred[:, 1], 0)], axis=1)
        groups = shape[2] if isinstance(op, DepthwiseConv2d) else op.groups  # type: ignore[attr-defined]
        taps = weight.reshape(-1, *weight.shape[2:])
    # (taps, inputs of a group, groups, outputs of a group) beside (inputs, groups).
    taps = taps.reshape(len(taps), -1, groups, outputs // groups)
    low, high = (centred[:, end].reshape(groups, -1).T[None, :, :, None] for end in (0, 1))
    smallest = np.minimum(low * taps, high * taps).sum(axis=(0, 1)).reshape(outputs)
    largest = np.maximum(low * taps, high * taps).sum(axis=(0, 1)).reshape(outputs)
    return np.stack([smallest, largest], axis=1) + op.bias.astype(np.int64)[:, None]
