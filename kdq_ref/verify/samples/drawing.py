"""What every sample draws: encodings, codes, scales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdq_ref.verify.network import Encoding, Network, Node

STYLES = ("random", "ties", "solved", "extremes", "tiny", "huge")
"""How a sample is aimed.

random
    Codes and scales as networks have them.
ties
    Scales are small odd multiples of powers of two: exact halves abound.
solved
    A multiplier per channel that puts one accumulator on a half, or one float32 beside it.
extremes
    Codes and weights at their ends, zero points at theirs.
tiny, huge
    Multipliers for which nearly everything becomes the zero point, or saturates.
"""


@dataclass(frozen=True, eq=False)
class Sample:
    """A network and what it is fed with.

    Attributes
    ----------
    network : Network
        One node, called ``"y"``.
    inputs : dict of str to ndarray
    style : str
        One of :data:`STYLES`.
    """

    network: Network
    inputs: dict[str, np.ndarray]
    style: str


def single(
    node: Node, inputs: dict[str, Encoding], values: dict[str, np.ndarray], style: str
) -> Sample:
    """Wrap one node."""
    shapes = {name: tuple(value.shape[1:]) for name, value in values.items()}
    return Sample(Network(inputs, shapes, (node,), node.name), values, style)


def float32(value: float | np.floating) -> float:
    """The nearest float32, as Python's float."""
    return float(np.float32(value))


def zero_point(rng: np.random.Generator, style: str) -> int:
    """Of an activation: anything, and the ends often."""
    if style == "extremes":
        return int(rng.choice([-128, 127]))
    return int(rng.choice([-128, 127, 0, int(rng.integers(-128, 128))], p=[0.2, 0.1, 0.2, 0.5]))


def codes(rng: np.random.Generator, shape: tuple[int, ...], style: str) -> np.ndarray:
    """int8 activations."""
    if style == "extremes":
        pools = ((-128, 127), (-128, 127), (-128, -127, 0, 127), (-128,), (127,))
        return rng.choice(np.array(pools[rng.integers(len(pools))], np.int8), shape)
    return rng.integers(-128, 128, shape, dtype=np.int8)


def scale(rng: np.random.Generator, style: str) -> float:
    """Of an activation: between 2**-9 and 2**-2; for ties an odd multiple of a power of two."""
    if style == "ties":
        return float(rng.choice([1, 1, 3, 5]) * 2.0 ** rng.integers(-9, -3))
    return float32(2.0 ** rng.uniform(-9, -2))


def encoding(rng: np.random.Generator, style: str) -> Encoding:
    """Of an int8 activation."""
    return Encoding("int8", scale(rng, style), zero_point(rng, style))


def clamp(rng: np.random.Generator) -> tuple[float, float] | None:
    """Of a fused activation: mostly none, sometimes ReLU or ReLU6."""
    kinds = (None, (0.0, float("inf")), (0.0, 6.0))
    return kinds[rng.choice(3, p=[0.6, 0.3, 0.1])]
