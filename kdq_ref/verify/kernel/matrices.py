"""Calls of products, dense layers and requantization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kdq_ref.rounding import Rule
from kdq_ref.verify.kernel.abi import REQUANTIZE, Abi
from kdq_ref.verify.kernel.problem import Problem, Scaling
from kdq_ref.verify.kernel.values import (
    EDGES,
    KINDS,
    Chooser,
    codes,
    largest_accumulators,
    near_ties,
    scaling,
    weight_low,
    zero_points,
)

_LONG = (127, 128, 129, 257, 513)
_DEEP = 1100
"""So long that ``127 * 127 * K`` is beyond ``2**24``, and int16 is left long before."""
_LARGEST_SWEPT = 2.0**20


def gemm(
    chooser: Chooser,
    abi: Abi,
    rule: Rule | None,
    size: Sequence[int],
    why: str,
    *,
    kinds: tuple[str, str] = ("any", "any"),
    gaps: Sequence[int] = (0, 0, 0),
    zero_point: int | None = None,
    plain: bool = False,
) -> Problem:
    """A product or dense layer of (m, n, k).

    ``kinds`` are those of a's and b's codes, ``gaps`` what is added to the rows of a, b and c.
    """
    m, n, k = size
    rng = chooser.rng
    inputs = {
        "a": codes(rng, (m, k), np.dtype(abi.data), kinds[0]),
        "b": codes(rng, (k, n), np.dtype(np.int8), kinds[1], weight_low(abi)),
    }
    sizes = {"m": m, "n": n, "k": k, "lda": k + gaps[0], "ldb": n + gaps[1], "ldc": n + gaps[2]}
    if rule is None:
        return Problem(abi, why, sizes | {"a_zero_point": 0}, inputs)
    sizes["a_zero_point"] = chooser.of(zero_points(abi.data)) if zero_point is None else zero_point
    if chooser.of((True, True, False)):
        inputs["bias"] = rng.integers(-4000, 4000, n, np.int32)
    magnitude = 74.0 * 74.0 * max(k, 1) ** 0.5
    return Problem(abi, why, sizes, inputs, scaling(chooser, abi, rule, n, magnitude, plain=plain))


def gemm_grid(chooser: Chooser, abi: Abi, rule: Rule | None) -> list[Problem]:
    """Sizes around tiles, nothing at all, strides, extreme codes and zero points."""
    problems = []

    def add(size: Sequence[int], why: str, **options: Any) -> None:
        problems.append(gemm(chooser, abi, rule, size, why, **options))

    for size in ((1, 1, 1), (1, 1, 0), (3, 4, 0), (0, 3, 4), (3, 0, 4), (2, 2, 2), (4, 4, 4)):
        add(size, "smallest sizes")
    for edge in EDGES:
        for base in ((3, 5, 6), (4, 16, 32)):
            for axis in range(3):
                add((*base[:axis], edge, *base[axis + 1 :]), "sizes around tiles")
    for k in _LONG:
        add((3, 5, k), "long sums")
    for size in ((2, 257, 3), (257, 2, 3), (1, 600, 4)):
        add(size, "more than a byte counts")
    for gaps in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (3, 5, 7), (16, 0, 0), (0, 64, 0), (0, 0, 33)):
        for size in ((3, 5, 7), (4, 8, 16), (5, 17, 9)):
            add(size, "rows with gaps", gaps=gaps)
    for kinds in (("low", "low"), ("low", "high"), ("high", "low"), ("high", "high")):
        for k in (1, 2, 3, 4, 16, 33, _DEEP):
            add((2, 3, k), "all codes extreme", kinds=kinds, plain=True)
    for k in (1, 2, 8, 31, 64):
        add((4, 9, k), "codes at both ends", kinds=("ends", "ends"))
        add((4, 9, k), "small codes", kinds=("small", "small"))
    if rule is not None:
        for zero_point in zero_points(abi.data):
            for size in ((3, 4, 1), (3, 4, 5), (3, 4, 16), (1, 16, 8), (1, 32, 33), (4, 16, 7)):
                add(size, "zero points", zero_point=zero_point, plain=True)
            for kind in ("low", "high"):  # sums of weights that leave int16
                kinds = ("any", kind)
                add((2, 3, 300), "zero points", zero_point=zero_point, kinds=kinds, plain=True)
    for _ in range(40):
        drawn_gaps = [chooser.of((0, 0, 1, 6)) for _ in range(3)]
        drawn_size = [chooser.of(EDGES[:14]) for _ in range(3)]
        add(drawn_size, "sizes around tiles", gaps=drawn_gaps)
    return problems


def gemm_drawn(chooser: Chooser, abi: Abi, rule: Rule | None) -> Problem:
    """Any product or dense layer."""
    size = tuple(chooser.between(0, 20) if chooser.of((0, 1)) else chooser.of(EDGES) for _ in "mnk")
    gaps = tuple(chooser.of((0, 0, 1, 2, 7, 16)) for _ in "abc")
    kinds = chooser.of(KINDS), chooser.of(KINDS)
    return gemm(chooser, abi, rule, size, "drawn", kinds=kinds, gaps=gaps)


def requantize(
    chooser: Chooser,
    abi: Abi,
    rule: Rule,
    size: tuple[int, int],
    why: str,
    gaps: tuple[int, int] = (0, 0),
) -> Problem:
    """Requantization of (rows, channels) accumulators, a third of them next to ties."""
    rows, channels = size
    magnitude = 2.0 ** chooser.between(7, 24)
    scaled = scaling(chooser, abi, rule, channels, magnitude)
    real = np.broadcast_to(scaled.real, max(channels, 1))[:channels]
    acc = np.rint(chooser.rng.normal(0, 1, size) * magnitude).astype(np.int64)
    ties = chooser.rng.random(size) < 1 / 3
    acc = np.where(ties, near_ties(chooser.rng, real, rows), acc)
    inputs = {}
    if chooser.of((True, False)):
        bias = chooser.rng.integers(-999, 999, channels, np.int32)
        bound = 2**31 - 1000  # acc without bias fits as well
        acc = np.clip(acc, -bound, bound) - bias
        inputs["bias"] = bias
    inputs = {"acc": acc.astype(np.int32), **inputs}
    sizes = {"rows": rows, "channels": channels}
    sizes |= {"ld_acc": channels + gaps[0], "ld_y": channels + gaps[1]}
    return Problem(abi, why, sizes, inputs, scaled)


def requantize_grid(chooser: Chooser, abi: Abi, rule: Rule) -> list[Problem]:
    """Sizes around vectors, gaps, zero points and clamps of all kinds."""
    problems = []
    for size in ((1, 1), (1, 2), (0, 3), (3, 0), (2, 1)):
        problems.append(requantize(chooser, abi, rule, size, "smallest sizes"))
    for edge in (*EDGES, 127, 129):
        for size in ((1, edge), (3, edge), (edge, 3), (edge, 16)):
            problems.append(requantize(chooser, abi, rule, size, "sizes around vectors"))
    for size in ((2, 257), (257, 2)):
        problems.append(requantize(chooser, abi, rule, size, "more than a byte counts"))
    for gaps in ((1, 0), (0, 1), (3, 5), (16, 16)):
        for size in ((3, 5), (4, 16), (5, 17)):
            problems.append(requantize(chooser, abi, rule, size, "rows with gaps", gaps))
    return problems


def requantize_drawn(chooser: Chooser, abi: Abi, rule: Rule) -> Problem:
    """Any requantization."""
    size = chooser.between(0, 12), chooser.of((*EDGES, 40, 100))
    gaps = chooser.of((0, 0, 1, 7)), chooser.of((0, 0, 1, 7))
    return requantize(chooser, abi, rule, size, "drawn", gaps)


def sweep(rng: np.random.Generator, abi: Abi, rule: Rule, real: np.ndarray, rows: int) -> Problem:
    """Many accumulators, one multiplier per channel, nothing else: (rows, C) outputs.

    For a dense layer, k is 1: its bias puts an accumulator next to a tie, the rows vary it.
    """
    low, high = abi.codes
    middle = 0 if low < 0 else 128
    channels = len(real)
    if abi.family is REQUANTIZE:
        acc = near_ties(rng, real, rows)
        # The smallest accumulators of all, for the clearest example.
        small = min(rows // 4, 64)
        bound = largest_accumulators(real)
        acc[:small] = np.clip(np.arange(small)[:, None] - small // 2, -bound, bound)
        sizes = {"rows": rows, "channels": channels, "ld_acc": channels, "ld_y": channels}
        scaled = Scaling(rule, real, middle, low, high)
        return Problem(abi, "sweep", sizes, {"acc": acc.astype(np.int32)}, scaled)
    real = np.minimum(real, _LARGEST_SWEPT)
    sizes = {"m": rows, "n": channels, "k": 1, "lda": 1, "ldb": channels, "ldc": channels}
    inputs = {
        "a": (np.arange(rows) % 256 + np.iinfo(abi.data).min).astype(abi.data)[:, None],
        "b": np.ones((1, channels), np.int8),
        "bias": sweep_bias(rng, real),
    }
    scaled = Scaling(rule, real, middle, low, high)
    return Problem(abi, "sweep", sizes | {"a_zero_point": middle}, inputs, scaled)


def sweep_bias(rng: np.random.Generator, real: np.ndarray) -> np.ndarray:
    """Accumulators : (C,) int32 next to ties, with room for 256 codes; the first eight are 0."""
    bound = largest_accumulators(real) - 256
    centre = np.clip(near_ties(rng, real, 1)[0], -bound, bound)
    centre[:8] = 0
    return centre.astype(np.int32)
