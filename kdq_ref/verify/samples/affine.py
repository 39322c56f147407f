"""Samples of dense layers and convolutions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kdq_ref.geometry import effective_kernel, window_output
from kdq_ref.verify.accumulators import accumulate, biased, weight_of
from kdq_ref.verify.network import Encoding, Node, Weight
from kdq_ref.verify.samples.drawing import Sample, clamp, codes, encoding, float32, single

_DEPTHS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100)
_WIDTHS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 40)
_SPREAD = 40
"""Size of output codes in random samples: few of them saturate."""

_CODE_DEVIATION = 74
"""Standard deviation of a code drawn from all of int8."""


def affine(rng: np.random.Generator, operator: str, style: str, outputs: int) -> Sample:
    """Draw a dense layer, a convolution or a depthwise one."""
    source = encoding(rng, style)
    shape, weight_shape, geometry, positions = _shapes(rng, operator)
    channels = weight_shape[-1]
    batch = max(1, round(outputs / (channels * positions)))
    x = codes(rng, (batch, *shape), style)
    node = Node(
        name="y",
        operator=operator,
        inputs=("x",),
        output=encoding(rng, style),
        weight=Weight(_weights(rng, weight_shape, style), np.ones(1, np.float32)),
        clamp=clamp(rng),
        **geometry,
    )
    node = _with_bias(rng, node, style)
    sample = single(node, {"x": source}, {"x": x}, style)
    # A few inputs say how large accumulators are.
    acc = accumulate(sample.network, node, x[:16]).reshape(-1, channels)
    node = _with_scales(rng, node, source, biased(node, acc), style)
    return single(node, {"x": source}, {"x": x}, style)


def _shapes(
    rng: np.random.Generator, operator: str
) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, Any], int]:
    """Input shape, weight shape, geometry, and output positions."""
    width = int(rng.choice(_WIDTHS))
    if operator == "dense":
        depth = int(rng.choice(_DEPTHS))
        return (depth,), (depth, width), {}, 1
    kernel = int(rng.choice([1, 2, 3, 3, 5])), int(rng.choice([1, 2, 3, 3, 5]))
    stride, dilation = ((1, 1), (1, 1), (2, 2))[rng.integers(3)], (1, 1)
    if stride == (1, 1) and rng.random() < 0.3:
        dilation = int(rng.integers(1, 3)), int(rng.integers(1, 3))
    extent = effective_kernel(kernel, dilation)
    padded = rng.random() < 0.5 and extent[0] % 2 == 1 and extent[1] % 2 == 1
    top, left = (e // 2 if padded else 0 for e in extent)
    # Odd sizes: then equal padding on both sides is also what "same" means with stride 2.
    height, width_in = (e + 1 - e % 2 + 2 * int(rng.integers(0, 3)) for e in extent)
    geometry: dict[str, Any] = {
        "stride": stride,
        "dilation": dilation,
        "padding": (top, top, left, left),
    }
    oh, ow = window_output((height, width_in), kernel, **geometry)
    if operator == "depthwise_conv2d":
        c_in = int(rng.choice(_WIDTHS))
        multiplier = int(rng.choice([1, 1, 1, 2, 3]))
        return (height, width_in, c_in), (*kernel, 1, c_in * multiplier), geometry, oh * ow
    groups = int(rng.choice([1, 1, 1, 2, 3]))
    c_in = int(rng.choice([1, 1, 2, 3, 4, 5, 8, 16, 17]))
    geometry["groups"] = groups
    return (height, width_in, c_in * groups), (*kernel, c_in, width * groups), geometry, oh * ow


def _weights(rng: np.random.Generator, shape: tuple[int, ...], style: str) -> np.ndarray:
    if style == "ties":
        # Sums are multiples of a power of two, and few of them leave int8 after scaling.
        power = 2 ** int(rng.integers(0, 7))
        keep = rng.random(shape) < min(1.0, 6 / max(1, int(np.prod(shape[:-1]))))
        return (rng.choice(np.array([-1, 1]), shape) * keep * power).astype(np.int8)
    kind = "ends" if style == "extremes" else rng.choice(["full", "ends", "normal", "narrow"])
    if kind == "ends":
        pools = ((-127, 127), (-127, 127), (127,), (-127,), (-64, 64), (-127, 0, 127))
        return rng.choice(np.array(pools[rng.integers(len(pools))], np.int8), shape)
    if kind == "normal":
        return np.clip(np.rint(rng.normal(0, 30, shape)), -127, 127).astype(np.int8)
    limit = 127 if kind == "full" else 64
    return rng.integers(-limit, limit + 1, shape).astype(np.int8)


def _with_bias(rng: np.random.Generator, node: Node, style: str) -> Node:
    weights = weight_of(node).codes.astype(np.float64)
    channels = weights.shape[-1]
    if rng.random() < 0.25:
        return node
    if style == "ties":
        bias = rng.integers(-20, 21, channels) * max(1, int(np.abs(weights).max()))
    else:
        # About as much as the sums themselves, so that outputs do not all saturate.
        size = _CODE_DEVIATION * np.sqrt(np.square(weights).reshape(-1, channels).sum(0))
        bias = np.rint(rng.uniform(-1, 1, channels) * size)
    return replace(node, bias=bias.astype(np.int32))


def _with_scales(
    rng: np.random.Generator, node: Node, source: Encoding, acc: np.ndarray, style: str
) -> Node:
    """Choose weight scales and the output's scale; acc : (R, channels) with bias."""
    codes = weight_of(node).codes
    channels = acc.shape[1]
    if style == "ties":
        # Halves: an odd multiple of 1 / (2 * power).
        power = max(1, int(np.abs(codes).max()))
        ratio = rng.choice([1, 1, 3]) / 2 / power * 2.0 ** rng.integers(-1, 2, channels)
        exact = np.float32(ratio * node.output.scale / source.scale)
        return replace(node, weight=Weight(codes, exact))
    scales = np.float32(2.0 ** rng.uniform(-10, -6) * rng.uniform(0.5, 2, channels))
    if rng.random() < 0.2:
        scales = scales[:1]
    spread = {"tiny": 2.0 ** rng.uniform(-12, 2), "huge": 2.0 ** rng.uniform(6, 14)}.get(
        style, _SPREAD * 2.0 ** rng.uniform(-1, 1)
    )
    size = float(np.sqrt(np.mean(np.square(acc.astype(np.float64))))) + 1
    out = float32(source.scale * float(scales.mean()) * size / spread)
    output = Encoding("int8", out, node.output.zero_point)
    if style == "solved" and len(scales) == channels:
        scales = _solved(rng, acc, source.scale, out, scales)
    return replace(node, output=output, weight=Weight(codes, scales))


def _solved(
    rng: np.random.Generator, acc: np.ndarray, s_x: float, s_y: float, scales: np.ndarray
) -> np.ndarray:
    """Scales that put one accumulator of each channel on, or right beside, a half."""
    picked = acc[rng.integers(0, len(acc), len(scales)), np.arange(len(scales))]
    target = rng.integers(0, 100, len(scales)) + 0.5
    solved = np.float32(target * s_y / (s_x * np.maximum(np.abs(picked), 1)))
    beside = np.nextafter(solved, np.float32(rng.choice([0, 1])))
    return np.where(rng.random(len(scales)) < 0.5, solved, beside).astype(np.float32)
