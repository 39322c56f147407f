"""What calls are made of: codes, zero points, multipliers, accumulators that land on ties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from kdq_ref.rounding import Rule
from kdq_ref.verify.kernel.abi import Abi
from kdq_ref.verify.kernel.problem import Scaling

T = TypeVar("T")

EDGES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65)
"""Around the tiles and vectors that kernels are made of."""
KINDS = ("any", "any", "low", "high", "ends", "small")
"""How codes may be drawn; see :func:`codes`."""
_LARGEST_REAL, _SMALLEST_REAL = 2.0**30, 2.0**-40
"""What lies below ``2**-32`` has the multiplier 0."""


class Chooser(Protocol):
    """Where arbitrary choices come from: a generator of NumPy's, or hypothesis."""

    rng: np.random.Generator

    def of(self, options: Sequence[T]) -> T:
        """One of these."""

    def between(self, low: int, high: int) -> int:
        """An integer in [low, high]."""


class RandomChooser:
    """Choices of a seeded generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def of(self, options: Sequence[T]) -> T:
        """One of these."""
        return options[int(self.rng.integers(len(options)))]

    def between(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return int(self.rng.integers(low, high + 1))


def codes(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: Any, kind: str, low: int | None = None
) -> np.ndarray:
    """Codes of that shape.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
    dtype : dtype
    kind : str
        "any" of them; all the "low"est; all the "high"est; only these two ("ends"); "small".
    low : int, optional
        The lowest; by default the dtype's.
    """
    limits = np.iinfo(dtype)
    low = int(limits.min) if low is None else low
    pools = {"low": [low], "high": [limits.max], "ends": [low, limits.max]}
    if kind in pools:
        return rng.choice(np.array(pools[kind], dtype), shape)
    if kind == "small":
        return rng.integers(max(low, -2), 3, shape, dtype)
    return rng.integers(low, limits.max + 1, shape, dtype)


def weight_low(abi: Abi) -> int:
    """The least weight: -128 in products, -127 in layers."""
    return -127 if abi.requantizes else -128


def zero_points(dtype: str) -> tuple[int, ...]:
    """Zero points that reveal something; negative ones first where there are any."""
    return (-128, 127, -1, 3, 0) if dtype == "int8" else (255, 0, 128, 3)


def in_limits(rule: Rule, real: np.ndarray) -> np.ndarray:
    """Multipliers moved into what the rule, and the header, allow."""
    low = max(rule.limits[0], _SMALLEST_REAL)
    high = min(rule.limits[1], _LARGEST_REAL) * (1 - 2.0**-20)  # float32 must not round it up
    return np.clip(real, low, high)


def scaling(
    chooser: Chooser, abi: Abi, rule: Rule, channels: int, magnitude: float, *, plain: bool = False
) -> Scaling:
    """A scaling that brings accumulators of that magnitude to the range of codes.

    Parameters
    ----------
    chooser : Chooser
    abi : Abi
    rule : Rule
    channels : int
        Of the output.
    magnitude : float
        Of usual accumulators.
    plain : bool
        No clamp but the type's.
    """
    count = max(1, channels) if chooser.of((True, True, False)) else 1
    real: np.ndarray = chooser.rng.uniform(10, 120, count) / max(magnitude, 1.0)
    if chooser.of((True, False, False)):
        real = 2.0 ** np.round(np.log2(real))
    low, high = abi.codes
    zero_point = chooser.of(zero_points(abi.output))
    clamp = (low, high)
    if not plain and chooser.of((True, False)):
        clamp = chooser.of(((zero_point, high), (low + 9, high - 40), (low + 1, high), (3, 3)))
    return Scaling(rule, in_limits(rule, real), zero_point, *clamp)


def multipliers(rule: Rule, rng: np.random.Generator, count: int) -> np.ndarray:
    """Multipliers for a sweep : (count,) float64, the plainest first.

    Powers of two, which make ties; mantissas at both ends, and in the middle; all exponents that
    the rule takes, the usual ones most; two that vanish.
    """
    usual = 2.0 ** -np.arange(1.0, 17.0)
    every = np.outer([1.0, 1.5], 2.0 ** np.arange(-32.0, 30.0)).ravel()
    vanishing = 2.0 ** np.array([-40.0, -33.0])
    ends = np.concatenate([usual * (1 - 2.0**-31), usual * (1 + 2.0**-29), usual * 1.5])
    drawn = 2.0 ** rng.uniform(-18, 0, max(count, 1))
    return in_limits(rule, np.concatenate([usual, ends, every, vanishing, drawn])[:count])


def near_ties(rng: np.random.Generator, real: np.ndarray, rows: int) -> np.ndarray:
    """Accumulators : (rows, C) int64 at, and next to, the middle between two codes.

    ``acc = (q + 1/2) / M`` rounded to an integer, and the integers around it, within
    :func:`largest_accumulators`.
    """
    q = rng.integers(-140, 140, (rows, len(real)))
    # A quarter is far outside the codes, where rules part for other reasons.
    far = rng.random(q.shape) < 0.25
    q = np.where(far, rng.integers(-(2**30), 2**30, q.shape), q)
    acc: np.ndarray = np.rint((q + 0.5) / real) + rng.integers(-1, 2, q.shape)
    bound = largest_accumulators(real)
    return np.clip(acc, -bound, bound).astype(np.int64)


def largest_accumulators(real: np.ndarray) -> np.ndarray:
    """Accumulators of which the header says that a left shift by the exponent fits int32.

    Below 1 nothing is shifted; from there on ``2**exponent`` may be twice the multiplier.
    """
    shifted = np.floor(2.0**30 * (1 - 2.0**-20) / real)
    largest: np.ndarray = np.where(real < 1 - 2.0**-30, 2.0**31 - 1, shifted)
    return largest
