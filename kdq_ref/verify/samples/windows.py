"""Samples of pooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdq_ref.geometry import window_output
from kdq_ref.verify.network import Encoding, Node
from kdq_ref.verify.samples.drawing import Sample, codes, encoding, float32, single, zero_point

_CHANNELS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33)


def pool(rng: np.random.Generator, operator: str, style: str, outputs: int) -> Sample:
    """Draw maximum, average or global average pooling.

    Maximum pooling keeps its input's encoding, as every runtime demands; the averages do so every
    other time.
    """
    channels = int(rng.choice(_CHANNELS))
    source = encoding(rng, style)
    geometry: dict[str, Any] = {}
    if operator == "global_avg_pool":
        size, positions = (int(rng.integers(1, 9)), int(rng.integers(1, 9))), 1
    else:
        size, geometry = _window(rng)
        oh, ow = window_output(size, **geometry)
        positions = oh * ow
    x = codes(rng, (max(1, outputs // (positions * channels)), *size, channels), style)
    output = source
    if operator != "max_pool2d" and rng.random() < 0.5:
        step = {"tiny": 2.0 ** rng.uniform(3, 7), "huge": 2.0 ** -rng.uniform(3, 7)}.get(
            style, rng.uniform(0.3, 1.2)
        )
        step = float(rng.choice([0.5, 2, 1])) if style == "ties" else step
        output = Encoding("int8", float32(source.scale * step), zero_point(rng, style))
    return single(Node("y", operator, ("x",), output, **geometry), {"x": source}, {"x": x}, style)


def _window(rng: np.random.Generator) -> tuple[tuple[int, int], dict[str, Any]]:
    """An odd size, and a window that fits it; padding is equal on both sides."""
    padded = rng.random() < 0.4
    if padded:
        kernel = int(rng.choice([1, 3, 5])), int(rng.choice([3, 5]))
        stride = (1, 1) if rng.random() < 0.5 else (2, 2)
    else:
        kernel = int(rng.integers(1, 5)), int(rng.integers(1, 5))
        stride = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    top, left = (k // 2 if padded else 0 for k in kernel)
    size = tuple(k + 1 - k % 2 + 2 * int(rng.integers(0, 4)) for k in kernel)
    geometry = {"kernel": kernel, "stride": stride, "padding": (top, top, left, left)}
    return (size[0], size[1]), geometry
