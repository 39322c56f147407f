"""Operands of 16x8 products: sizes at tile edges and at the blocks of K, extreme values, ties."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from strategies.integer import EDGES, codes, generators

from kdq_ref.rounding import RULES_16X8, Constants, Requant16x8, reduced_16x8

ACC_MIN, ACC_MAX = -(2**47), 2**47 - 1
BIAS_LIMIT = 2**47 - 2**39
DEPTHS = [*EDGES, 503, 504, 505, 509, 510, 511, 512, 513, 1009, 1023]
"""Also around 504, 510 and 511, where kernels widen their sums, and twice that."""


@st.composite
def activations(draw: st.DrawFn, shape: tuple[int, ...]) -> np.ndarray:
    """int16 of that shape; half the draws hold only the most extreme values."""
    rng = draw(generators())
    if draw(st.booleans()):
        return rng.integers(-(2**15), 2**15, shape, dtype=np.int16)
    pool = draw(st.sampled_from([(-32768,), (32767,), (-32768, 32767), (-32768, -1, 0, 32767)]))
    return rng.choice(np.array(pool, np.int16), shape)


@st.composite
def biases_16x8(draw: st.DrawFn, channels: int) -> np.ndarray:
    """int64 biases of every size, also at both ends of what is allowed."""
    rng = draw(generators())
    bias = rng.integers(-(2**40), 2**40, channels) >> rng.integers(0, 40, channels)
    ends = rng.choice([-BIAS_LIMIT, BIAS_LIMIT], channels)
    return np.where(rng.random(channels) < draw(st.sampled_from([0, 0.3])), ends, bias)


@st.composite
def requants_16x8(draw: st.DrawFn, channels: int, *, magnitude: float) -> Requant16x8:
    """Any rule; constants that bring ``magnitude`` near int16, some of any exponent, some zero.

    A third of the draws are powers of two (ties).
    """
    rng = draw(generators())
    rule = RULES_16X8[draw(st.sampled_from(list(RULES_16X8)))]
    last = 7 if rule is reduced_16x8 else 30
    count = draw(st.sampled_from([1, max(1, channels)]))
    kind = draw(st.sampled_from(["near", "power", "any"]))
    multiplier = rng.integers(2**30, 2**31, count)
    # Around the ends of the mantissa, and where reducing it to 15 bits stops rounding up.
    corners = [2**30, 2**30 + 2**15 - 1, 2**30 + 2**15, 0x7FFEFFFF, 0x7FFF0000, 2**31 - 1]
    multiplier = np.where(rng.random(count) < 0.3, rng.choice(corners, count), multiplier)
    natural = 15 - int(np.log2(magnitude))
    exponent = rng.integers(natural - 2, natural + 2, count)
    if kind == "power":
        multiplier[:] = 2**30
    elif kind == "any":
        exponent = rng.integers(-31, last + 1, count)
        multiplier[rng.random(count) < 0.1] = 0
    exponent = np.clip(exponent, -31, last)
    constants = Constants(
        multiplier.astype(np.int32), exponent.astype(np.int32), np.zeros(count, np.float32)
    )
    if draw(st.booleans()):
        return Requant16x8(constants, rule=rule)
    low, high = sorted(draw(st.integers(-32768, 32767)) for _ in range(2))
    return Requant16x8(constants, low, high, rule)


@st.composite
def gemm_16x8_problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """``a`` : (M, K) int16 and ``b`` : (K, N) int8, full range."""
    m, k, n = draw(st.sampled_from(EDGES)), draw(st.sampled_from(DEPTHS)), draw(_columns)
    return draw(activations((m, k))), draw(codes((k, n)))


@st.composite
def dense_16x8_problems(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any]]:
    """``x`` and the keywords of dense_16x8."""
    m, k, n = draw(st.sampled_from(EDGES)), draw(st.sampled_from(DEPTHS)), draw(_columns)
    return draw(activations((m, k))), {
        "weight": draw(codes((k, n))),
        "bias": draw(biases_16x8(n)),
        "requant": draw(requants_16x8(n, magnitude=2.0 ** draw(st.sampled_from([15, 24, 31, 46])))),
    }


_columns = st.sampled_from(EDGES)
