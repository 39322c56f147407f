"""Calls of convolutions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kdq_ref.geometry import effective_kernel, window_output
from kdq_ref.rounding import Rule
from kdq_ref.verify.kernel.abi import Abi
from kdq_ref.verify.kernel.matrices import sweep_bias
from kdq_ref.verify.kernel.problem import Problem, Scaling
from kdq_ref.verify.kernel.values import (
    EDGES,
    KINDS,
    Chooser,
    codes,
    scaling,
    weight_low,
    zero_points,
)

_LARGEST_SWEPT = 2.0**20


@dataclass(frozen=True)
class Geometry:
    """Sizes of a convolution; padding is (top, bottom, left, right).

    ``channels`` are input and output channels, or, for a depthwise one, channels and the outputs of
    each.
    """

    size: tuple[int, int] = (5, 6)
    channels: tuple[int, int] = (3, 4)
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (1, 1, 1, 1)
    batch: int = 1
    groups: int = 1


def convolution(
    chooser: Chooser,
    abi: Abi,
    rule: Rule,
    g: Geometry,
    why: str,
    *,
    kinds: tuple[str, str] = ("any", "any"),
    zero_point: int | None = None,
    plain: bool = False,
) -> Problem:
    """A convolution of that geometry."""
    rng = chooser.rng
    c_in, c_out = g.channels
    groups = c_in if abi.depthwise else g.groups
    if abi.depthwise:
        c_out = c_in * c_out
    out = window_output(g.size, g.kernel, g.stride, g.padding, g.dilation)
    sizes = {
        "batch": g.batch,
        "in_h": g.size[0],
        "in_w": g.size[1],
        "in_c": c_in,
        "out_h": out[0],
        "out_w": out[1],
        "out_c": c_out,
        "kernel_h": g.kernel[0],
        "kernel_w": g.kernel[1],
        "stride_h": g.stride[0],
        "stride_w": g.stride[1],
        "dilation_h": g.dilation[0],
        "dilation_w": g.dilation[1],
        "pad_top": g.padding[0],
        "pad_left": g.padding[2],
        "groups": groups,
    }
    sizes["x_zero_point"] = chooser.of(zero_points("int8")) if zero_point is None else zero_point
    shape = (*g.kernel, c_in // groups, c_out)
    inputs = {
        "x": codes(rng, (g.batch, *g.size, c_in), np.dtype(np.int8), kinds[0]),
        "weight": codes(rng, shape, np.dtype(np.int8), kinds[1], weight_low(abi)),
    }
    if chooser.of((True, True, False)):
        inputs["bias"] = rng.integers(-4000, 4000, c_out, np.int32)
    magnitude = 74.0 * 74.0 * float(np.prod(shape[:3])) ** 0.5
    scaled = scaling(chooser, abi, rule, c_out, magnitude, plain=plain)
    return Problem(abi, why, sizes, inputs, scaled)


def convolution_grid(chooser: Chooser, abi: Abi, rule: Rule) -> list[Problem]:
    """Channels around vectors; windows, strides, dilations and paddings of all kinds."""
    problems = []

    def add(g: Geometry, why: str, **options: Any) -> None:
        problems.append(convolution(chooser, abi, rule, g, why, **options))

    base = Geometry()
    one = replace(base, size=(1, 1), kernel=(1, 1), padding=(0, 0, 0, 0), channels=(1, 1))
    add(one, "smallest sizes")
    add(replace(one, batch=0), "smallest sizes")
    add(replace(one, channels=(2, 1)), "smallest sizes")
    add(replace(one, size=(2, 2)), "smallest sizes")
    for edge in EDGES[:15]:
        channels = ((edge, 1), (edge, 2)) if abi.depthwise else ((edge, 3), (3, edge))
        for pair in channels:
            add(replace(base, channels=pair), "channels around vectors")
            add(replace(base, channels=pair, kernel=(1, 1), padding=(0, 0, 0, 0)), "1 x 1 windows")
    for pair in ((257, 1), (3, 257)):
        flat = replace(base, size=(2, 1), kernel=(1, 1), padding=(0, 0, 0, 0))
        add(replace(flat, channels=pair), "more than a byte counts")
    for width in (1, 2, 3, 7, 8, 9, 16, 17, 257):
        add(replace(base, size=(3, width)), "images of all widths")
        add(replace(base, size=(width, 3)), "images of all heights")
    for kernel in ((1, 3), (3, 1), (2, 2), (5, 5), (2, 3)):
        add(replace(base, kernel=kernel, padding=(2, 2, 2, 2)), "windows of all shapes")
    for stride in ((2, 2), (1, 2), (2, 1), (3, 3)):
        for padding in ((0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 0, 1)):
            add(replace(base, size=(7, 8), stride=stride, padding=padding), "strides")
    for dilation in ((2, 2), (1, 2), (2, 1), (3, 1)):
        add(replace(base, size=(9, 8), dilation=dilation), "dilations")
    for padding in ((1, 0, 0, 0), (0, 0, 1, 0), (2, 1, 0, 1), (0, 1, 2, 2), (2, 2, 2, 2)):
        for zero_point in (-128, 127, 5):
            add(replace(base, padding=padding), "padding", zero_point=zero_point)
    for kinds in (("low", "low"), ("low", "high"), ("high", "low"), ("high", "high")):
        for c_in in (1, 3, 128):
            g = replace(base, channels=(c_in, 1 if abi.depthwise else 2))
            add(g, "all codes extreme", kinds=kinds, plain=True)
    for zero_point in zero_points("int8"):
        add(base, "zero points", zero_point=zero_point, plain=True)
        add(replace(one, size=(3, 3)), "zero points", zero_point=zero_point, plain=True)
    if not abi.depthwise:
        for groups in (2, 3):
            add(replace(base, channels=(6, 6), groups=groups), "groups")
    for batch in (2, 3):
        add(replace(base, batch=batch), "batches")
    for _ in range(30):
        problems.append(convolution_drawn(chooser, abi, rule))
    return problems


def convolution_drawn(chooser: Chooser, abi: Abi, rule: Rule) -> Problem:
    """Any convolution whose window fits."""
    kernel = chooser.between(1, 4), chooser.between(1, 4)
    dilation = chooser.of((1, 1, 2, 3)), chooser.of((1, 1, 2, 3))
    top, bottom, left, right = (chooser.between(0, 2) for _ in range(4))
    reach = effective_kernel(kernel, dilation)
    size = (
        chooser.between(0, 6) + max(1, reach[0] - top - bottom),
        chooser.between(0, 6) + max(1, reach[1] - left - right),
    )
    groups = 1 if abi.depthwise else chooser.of((1, 1, 2, 3))
    outputs = chooser.between(1, 3) if abi.depthwise else groups * chooser.between(1, 9)
    g = Geometry(
        size=size,
        channels=(groups * chooser.of((1, 2, 3, 4, 5, 8, 16, 17)), outputs),
        kernel=kernel,
        stride=(chooser.between(1, 3), chooser.between(1, 3)),
        dilation=dilation,
        padding=(top, bottom, left, right),
        batch=chooser.between(1, 2),
        groups=groups,
    )
    kinds = chooser.of(KINDS), chooser.of(KINDS)
    return convolution(chooser, abi, rule, g, "drawn", kinds=kinds)


def convolution_sweep(
    rng: np.random.Generator, abi: Abi, rule: Rule, real: np.ndarray, rows: int
) -> Problem:
    """Many accumulators, one multiplier per channel: a 1 x 1 window over one row of pixels."""
    low, high = abi.codes
    real = np.minimum(real, _LARGEST_SWEPT)
    channels = len(real)
    c_in = channels if abi.depthwise else 1
    sizes = {
        "batch": 1,
        "in_h": 1,
        "in_w": rows,
        "in_c": c_in,
        "out_h": 1,
        "out_w": rows,
        "out_c": channels,
        "kernel_h": 1,
        "kernel_w": 1,
        "stride_h": 1,
        "stride_w": 1,
        "dilation_h": 1,
        "dilation_w": 1,
        "pad_top": 0,
        "pad_left": 0,
        "groups": c_in,
        "x_zero_point": 0,
    }
    pixels = (np.arange(rows) % 256 - 128).astype(np.int8)
    inputs = {
        "x": np.repeat(pixels[:, None], c_in, axis=1)[None, None],
        "weight": np.ones((1, 1, 1, channels), np.int8),
        "bias": sweep_bias(rng, real),
    }
    return Problem(abi, "sweep", sizes, inputs, Scaling(rule, real, 0, low, high))
