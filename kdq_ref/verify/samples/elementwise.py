"""Samples of addition, multiplication and concatenation."""

from __future__ import annotations

import numpy as np

from kdq_ref.verify.network import Encoding, Node
from kdq_ref.verify.samples.drawing import (
    Sample,
    clamp,
    codes,
    encoding,
    float32,
    single,
    zero_point,
)

_SIZES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100)


def binary(rng: np.random.Generator, operator: str, style: str, outputs: int) -> Sample:
    """Draw a sum or a product of two tensors of one shape."""
    width = int(rng.choice(_SIZES))
    # Runtimes treat a single element as a scalar, which is broadcast.
    shape = (max(2, outputs // width), width)
    a, b = encoding(rng, style), encoding(rng, style)
    spread = {"tiny": 2.0 ** rng.uniform(4, 12), "huge": 2.0 ** -rng.uniform(4, 12)}.get(style, 1.0)
    if style == "ties":
        power = float(2.0 ** rng.integers(-1, 3))
        out = a.scale * power if operator == "add" else a.scale * b.scale * 32 * power
    elif operator == "add":
        out = (a.scale + b.scale) * rng.uniform(0.4, 1.5) * spread
    else:
        out = a.scale * b.scale * rng.uniform(30, 300) * spread
    if style == "solved":
        # The multiplier of one pair of codes, on a half.
        pair = (int(rng.integers(1, 256)), int(rng.integers(1, 256)))
        real = (
            a.scale * pair[0] + b.scale * pair[1]
            if operator == "add"
            else (a.scale * b.scale * pair[0] * pair[1])
        )
        out = real / (int(rng.integers(0, 120)) + 0.5)
    node = Node(
        "y",
        operator,
        ("a", "b"),
        Encoding("int8", float32(out), zero_point(rng, style)),
        clamp=clamp(rng),
    )
    values = {"a": codes(rng, shape, style), "b": codes(rng, shape, style)}
    return single(node, {"a": a, "b": b}, values, style)


def concat(rng: np.random.Generator, operator: str, style: str, outputs: int) -> Sample:
    """Draw two or three tensors; every other time all encodings are equal."""
    count = int(rng.integers(2, 4))
    names = tuple("abc"[:count])
    output = encoding(rng, style)
    equal = rng.random() < 0.5
    inputs = {}
    for name in names:
        step = {"tiny": 2.0**-6, "huge": 2.0**6}.get(style, float(2.0 ** rng.uniform(-1, 1)))
        if style == "ties":
            step = float(rng.choice([0.5, 0.25, 1.5, 2.5]))
        drawn = Encoding("int8", float32(output.scale * step), zero_point(rng, style))
        inputs[name] = output if equal else drawn
    widths = rng.choice(_SIZES, count)
    image = rng.random() < 0.3
    space = (int(rng.integers(1, 5)), int(rng.integers(1, 5))) if image else ()
    batch = max(1, outputs // int(widths.sum() * np.prod(space, dtype=int)))
    values = {
        name: codes(rng, (batch, *space, int(width)), style)
        for name, width in zip(names, widths, strict=True)
    }
    return single(Node("y", operator, names, output), inputs, values, style)
