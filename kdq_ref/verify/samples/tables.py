"""Samples of functions of one code, of quantization, and of softmax."""

from __future__ import annotations

import numpy as np

from kdq_ref.verify.network import Encoding, Node
from kdq_ref.verify.samples.drawing import (
    Sample,
    codes,
    encoding,
    float32,
    scale,
    single,
    zero_point,
)

_ROWS = 16
_ALL = np.arange(-128, 128).astype(np.int8)
_WIDTHS = (256, 256, 256, 255, 249, 225, 193, 33)
"""Codes in a row: registers that are full, and ends of rows that fill none."""
_FIXED = {
    "sigmoid": Encoding("int8", 1 / 256, -128),
    "tanh": Encoding("int8", 1 / 128, 0),
    "softmax": Encoding("int8", 1 / 256, -128),
}
"""What TensorFlow Lite and PyTorch demand of the output."""
_CLIPS = ((0.0, 6.0), (-1.0, 1.0), (0.0, 1.0))
"""The clips that TensorFlow Lite has."""


def table(rng: np.random.Generator, operator: str, style: str, outputs: int) -> Sample:
    """Draw an activation function; a row has every code once, in an order of its own, or most."""
    source = encoding(rng, style)
    if operator == "dequantize":
        output = Encoding("float32")
    elif operator in _FIXED and rng.random() < 0.7:
        output = _FIXED[operator]
    elif operator in ("relu", "relu6", "clip") and rng.random() < 0.5:
        output = source  # some runtimes only clamp codes
    else:
        output = _output(rng, operator, source, style)
    if operator in ("sigmoid", "tanh", "hard_swish"):
        # The interesting inputs are a few units wide.
        source = Encoding("int8", float32(2.0 ** rng.uniform(-7, -2)), source.zero_point)
    clamp = None
    if operator == "clip":
        ends = np.sort(rng.uniform(-128, 128, 2) * source.scale)
        clamp = (float32(ends[0]), float32(ends[1]))
        if rng.random() < 0.5:
            clamp = _CLIPS[int(rng.integers(len(_CLIPS)))]
    # The same 256 results in every row: rather more tables than more rows.
    rows = min(_ROWS, max(1, outputs // len(_ALL)))
    x = rng.permuted(np.tile(_ALL, (rows, 1)), axis=1)
    x = np.ascontiguousarray(x[:, : int(rng.choice(_WIDTHS))])
    node = Node("y", operator, ("x",), output, clamp=clamp)
    return single(node, {"x": source}, {"x": x}, style)


def _output(rng: np.random.Generator, operator: str, source: Encoding, style: str) -> Encoding:
    bounded = {"sigmoid": 1 / 256, "tanh": 1 / 128}
    if operator in bounded:
        step = bounded[operator] * rng.uniform(0.5, 2)
    elif style == "ties":
        step = source.scale * float(rng.choice([0.5, 1, 2, 4]))
    else:
        reach = {"tiny": 2.0 ** rng.uniform(4, 8), "huge": 2.0 ** -rng.uniform(4, 8)}
        step = source.scale * reach.get(style, rng.uniform(0.3, 2))
    return Encoding("int8", float32(step), zero_point(rng, style))


def quantize(rng: np.random.Generator, operator: str, style: str, outputs: int) -> Sample:
    """Draw reals: spread, on halves, beside them, far outside."""
    output = Encoding("int8", scale(rng, style), zero_point(rng, style))
    width = int(rng.choice([1, 3, 8, 31, 32, 33, 256]))
    shape = (max(1, outputs // width), width)
    steps = rng.uniform(-300, 300, shape)
    if style in ("ties", "solved", "extremes"):
        steps = np.floor(steps) + 0.5
    elif style == "huge":
        steps *= 2.0 ** rng.uniform(0, 60, shape)
    elif style == "tiny":
        steps *= 2.0 ** -rng.uniform(0, 60, shape)
    x = np.float32(steps * output.scale)
    if style == "solved":
        x = np.nextafter(x, np.float32(rng.choice([-1e30, 1e30])))
    return single(Node("y", operator, ("x",), output), {"x": Encoding("float32")}, {"x": x}, style)


def softmax(rng: np.random.Generator, operator: str, style: str, outputs: int) -> Sample:
    """Draw logits of 2 to 100 classes; equal ones and one that takes everything included."""
    classes = int(rng.choice([2, 3, 4, 5, 8, 10, 16, 17, 32, 33, 100]))
    exponents = {"tiny": (-14, -8), "huge": (-2, 2)}.get(style, (-8, -2))
    source = Encoding("int8", float32(2.0 ** rng.uniform(*exponents)), zero_point(rng, style))
    x = codes(rng, (max(1, outputs // classes), classes), style)
    node = Node("y", operator, ("x",), _FIXED[operator])
    return single(node, {"x": source}, {"x": x}, style)
