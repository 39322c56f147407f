"""Integer operands for the specification and the kernels: sizes at tile edges, extreme codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from strategies.rules import near

from kdq_ref import intref, operands
from kdq_ref.errors import ShapeError
from kdq_ref.geometry import window_output
from kdq_ref.rounding import RULES, Requant

EDGES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33]
"""Around every tile and unit of the kernels, and nothing at all."""

WIDTHS = [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65]
"""Channels around the vectors of loops over channels."""

THOROUGHLY = settings(max_examples=3 * settings().max_examples)
"""For properties with more corners than the profile's number of examples can visit."""

BIAS_LIMIT = 2**20


def generators() -> st.SearchStrategy[np.random.Generator]:
    """Seeded generators: hypothesis draws the seed, NumPy the many values."""
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


@st.composite
def codes(draw: st.DrawFn, shape: tuple[int, ...], low: int = -128) -> np.ndarray:
    """int8 of that shape in [low, 127]; half the draws hold only the most extreme values."""
    rng = draw(generators())
    if draw(st.booleans()):
        return rng.integers(low, 128, shape, dtype=np.int8)
    pool = draw(st.sampled_from([(low,), (127,), (low, 127), (low, low + 1, 0, 127)]))
    return rng.choice(np.array(pool, np.int8), shape)


def biases(channels: int) -> st.SearchStrategy[np.ndarray]:
    """int32 biases that leave room for the products."""
    return generators().map(
        lambda rng: rng.integers(-BIAS_LIMIT, BIAS_LIMIT, channels, dtype=np.int32)
    )


def zero_points() -> st.SearchStrategy[int]:
    """Zero points of activations, both ends included often."""
    return st.sampled_from([-128, 127, 0]) | st.integers(-128, 127)


@st.composite
def requants(
    draw: st.DrawFn, channels: int, *, magnitude: float = 2.0**10, broadcast: bool = True
) -> Requant:
    """Any rule; multipliers that bring ``magnitude`` somewhere near the range of int8.

    A third of the draws are powers of two (ties), a third spans all exponents that a rule allows.
    """
    rule = RULES[draw(st.sampled_from(sorted(RULES)))]
    count = draw(st.sampled_from([1, channels])) if broadcast and channels else max(1, channels)
    rng = draw(generators())
    kind = draw(st.sampled_from(["near", "power", "any"]))
    if kind == "near":
        real = rng.uniform(4, 400, count) / magnitude
    elif kind == "power":
        real = 2.0 ** rng.integers(-int(np.log2(magnitude)) - 1, 2, count)
    else:
        real = 2.0 ** rng.uniform(-33, 29.9, count)
    low, high = sorted((draw(st.integers(-128, 127)), draw(st.integers(-128, 127))))
    if draw(st.booleans()):
        low, high = -128, 127
    return Requant(rule, near(rule, real, rng), draw(zero_points()), low, high)


@st.composite
def gemm_problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """``a`` : (M, K) and ``b`` : (K, N), full range."""
    m, k, n = (draw(st.sampled_from(EDGES)) for _ in range(3))
    return draw(codes((m, k))), draw(codes((k, n)))


@st.composite
def dense_problems(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any]]:
    """``x`` and the keywords of dense."""
    b, k, n = (draw(st.sampled_from(EDGES)) for _ in range(3))
    return draw(codes((b, k))), {
        "weight": draw(codes((k, n), -127)),
        "bias": draw(biases(n)),
        "x_zero_point": draw(zero_points()),
        "requant": draw(requants(n, magnitude=2.0**13)),
    }


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    """(h, w), each in [low, high]."""
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def windows(
    draw: st.DrawFn, *, dilated: bool, pooling: bool = False
) -> tuple[tuple[int, int], dict[str, Any]]:
    """An image size and the geometry keywords of a window that fits it."""
    size, kernel = draw(pairs(1, 9)), draw(pairs(1, 4))
    limit_h, limit_w = (kernel[0] - 1, kernel[1] - 1) if pooling else (3, 3)
    padding = tuple(draw(st.integers(0, limit)) for limit in (limit_h, limit_h, limit_w, limit_w))
    keywords: dict[str, Any] = {"stride": draw(pairs(1, 3)), "padding": padding}
    if dilated:
        keywords["dilation"] = draw(pairs(1, 3))
    try:
        window_output(size, kernel, **keywords)
    except ShapeError:
        size = tuple(n + 3 * (k - 1) for n, k in zip(size, kernel, strict=True))
    return size, {"kernel": kernel, **keywords}


@st.composite
def conv2d_problems(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any]]:
    """``x`` and the keywords of conv2d."""
    size, keywords = draw(windows(dilated=True))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    c_in, c_out = groups * draw(st.integers(0, 5)), groups * draw(st.integers(1, 6))
    kernel = keywords.pop("kernel")
    return draw(codes((draw(st.integers(0, 3)), *size, c_in))), {
        "weight": draw(codes((*kernel, c_in // groups, c_out), -127)),
        "bias": draw(biases(c_out)),
        "x_zero_point": draw(zero_points()),
        "requant": draw(requants(c_out, magnitude=2.0**13)),
        "groups": groups,
        **keywords,
    }


@st.composite
def winograd_problems(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any]]:
    """``x`` and the keywords of a 3 x 3 convolution with stride 1."""
    padding = tuple(draw(st.integers(0, 2)) for _ in range(4))
    size = draw(st.tuples(st.integers(3, 9), st.integers(3, 13)))
    c_in = draw(st.sampled_from([0, 1, 2, 3, 15, 16, 17, 33]))
    c_out = draw(st.sampled_from([1, 3, 4, 5, 15, 16, 17, 33]))
    return draw(codes((draw(st.integers(0, 3)), *size, c_in))), {
        "weight": draw(codes((3, 3, c_in, c_out), -127)),
        "bias": draw(biases(c_out)),
        "x_zero_point": draw(zero_points()),
        "requant": draw(requants(c_out, magnitude=2.0**13)),
        "padding": padding,
    }


@st.composite
def narrow_problems(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any]]:
    """``x`` and the keywords of conv2d, with weights whose pair sums are just safe."""
    x, keywords = draw(conv2d_problems())
    limit = draw(st.sampled_from([64, 32, 31, 8, 7, 1]))
    rng = draw(generators())
    shape = keywords["weight"].shape
    if draw(st.booleans()):
        keywords["weight"] = rng.choice(np.array([-limit, limit], np.int8), shape)
    else:
        keywords["weight"] = rng.integers(-limit, limit + 1, shape, np.int8)
    return x, keywords


def _four_bits(draw: st.DrawFn, shape: tuple[int, ...]) -> np.ndarray:
    """int8 in [-8, 7]; half the draws hold only the ends."""
    rng = draw(generators())
    pool = draw(st.sampled_from([range(-8, 8), range(-8, 8), (-8,), (7,), (-8, 7)]))
    return rng.choice(np.array(pool, np.int8), shape)


@st.composite
def int4_dense_problems(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any]]:
    """``x`` and the keywords of dense, with weights in four bits; sums of 8 steps begin and end."""
    b, n = draw(st.sampled_from(EDGES)), draw(st.sampled_from(EDGES))
    k = draw(st.sampled_from([*EDGES, 28, 29, 32, 35, 36, 37, 63, 64, 65, 100]))
    return draw(codes((b, k))), {
        "weight": _four_bits(draw, (k, n)),
        "bias": draw(biases(n)),
        "x_zero_point": draw(zero_points()),
        "requant": draw(requants(n, magnitude=2.0**10)),
    }


@st.composite
def int4_problems(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any]]:
    """``x`` and the keywords of conv2d, with weights in four bits."""
    x, keywords = draw(conv2d_problems())
    keywords["weight"] = _four_bits(draw, keywords["weight"].shape)
    return x, keywords


@st.composite
def depthwise_problems(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any]]:
    """``x`` and the keywords of depthwise_conv2d."""
    size, keywords = draw(windows(dilated=True))
    channels, multiplier = draw(st.sampled_from(WIDTHS)), draw(st.integers(1, 3))
    kernel = keywords.pop("kernel")
    return draw(codes((draw(st.integers(0, 2)), *size, channels))), {
        "weight": draw(codes((*kernel, 1, channels * multiplier), -127)),
        "bias": draw(biases(channels * multiplier)),
        "x_zero_point": draw(zero_points()),
        "requant": draw(requants(channels * multiplier, magnitude=2.0**12)),
        **keywords,
    }


@st.composite
def pool_problems(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any]]:
    """``x`` and the geometry keywords of pooling."""
    size, keywords = draw(windows(dilated=False, pooling=True))
    channels = draw(st.sampled_from([0, *WIDTHS]))
    return draw(codes((draw(st.integers(0, 2)), *size, channels))), keywords


@st.composite
def add_problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """``a``, ``b`` and the keywords of add."""
    shape = (draw(st.integers(0, 3)), draw(st.sampled_from([0, 1, 15, 17, 32, 85, 341, 342, 700])))
    return (
        draw(codes(shape)),
        draw(codes(shape)),
        {
            "a_zero_point": draw(zero_points()),
            "b_zero_point": draw(zero_points()),
            "a_multiplier": draw(st.integers(0, 2**20)),
            "b_multiplier": draw(st.sampled_from([0, 2**20])),
            "requant": draw(requants(1, magnitude=2.0**28)),
        },
    )


@st.composite
def softmax_tables(draw: st.DrawFn) -> np.ndarray:
    """Any table that softmax takes: of a scale, or anything that falls from 2**30."""
    if draw(st.booleans()):
        return intref.softmax_table(draw(softmax_scales()))
    rng = draw(generators())
    table = np.sort(rng.integers(0, 2 ** rng.integers(0, 31, 256)))[::-1].astype(np.int32)
    table[0] = operands.SOFTMAX_ONE
    return table


def softmax_scales() -> st.SearchStrategy[float]:
    """Scales of logits, and both ends of what a scale may be."""
    ends = [float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max), 2.0**-9, 22.0]
    return st.sampled_from(ends) | st.floats(2.0**-9, 0.5) | st.floats(2.0**-40, 2.0**6)


def tied_softmax(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """A row of n + 1 codes and a table, so that 256 times the last probability is m / 2 exactly.

    n is at least 2, m * n below 256. The sum is ``n * 2**30``: its reciprocal is seldom exact.
    """
    share = m * n << 21
    table = np.zeros(256, np.int32)
    table[:3] = operands.SOFTMAX_ONE, operands.SOFTMAX_ONE - share, share
    return np.array([5] * (n - 1) + [4, 3], np.int8), table
