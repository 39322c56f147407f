"""Dense and convolution against nested loops over Python integers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdq_ref import intref
from kdq_ref.errors import DTypeError, RangeError, ShapeError
from kdq_ref.rounding import RULES, Requant

SIZES = st.sampled_from([0, 1, 2, 3, 5, 8, 17])


def _codes(rng: np.random.Generator, shape: tuple[int, ...], *, low: int = -128) -> np.ndarray:
    """int8 codes: uniform, or only the two extremes."""
    if rng.random() < 0.5:
        return rng.choice(np.array([low, 127], np.int8), shape)
    return rng.integers(low, 128, shape).astype(np.int8)


def _requant(rng: np.random.Generator, channels: int, name: str) -> Requant:
    rule = RULES[name]
    constants = rule.constants(0.02, rng.uniform(0.001, 0.5, channels), 1.0)
    return Requant(rule, constants, int(rng.integers(-128, 128)))


def _bias(rng: np.random.Generator, channels: int) -> np.ndarray:
    return rng.integers(-(2**16), 2**16, channels).astype(np.int32)


@given(SIZES, SIZES, SIZES, st.integers(0, 2**32 - 1))
def test_gemm_is_the_sum_of_products(m: int, k: int, n: int, seed: int) -> None:
    """Every element is a sum of Python integers, also for empty sizes."""
    rng = np.random.default_rng(seed)
    a, b = _codes(rng, (m, k)), _codes(rng, (k, n))
    c = intref.gemm(a, b)
    assert c.dtype == np.int32
    assert c.shape == (m, n)
    for i, j in itertools.product(range(m), range(n)):
        assert c[i, j] == sum(int(a[i, p]) * int(b[p, j]) for p in range(k))


def test_gemm_holds_the_longest_sum() -> None:
    """K = 131,071 of -128 * -128 is the largest int32 sum allowed; one more is refused."""
    row = np.full((1, 131_071), -128, np.int8)
    assert intref.gemm(row, row.T)[0, 0] == 131_071 * 16_384 <= 2**31 - 1
    row = np.full((1, 131_072), -128, np.int8)
    with pytest.raises(ShapeError, match="131072 int8 pairs"):
        intref.gemm(row, row.T)


@given(SIZES, SIZES, SIZES, st.sampled_from(sorted(RULES)), st.integers(0, 2**32 - 1))
def test_dense_centres_multiplies_and_requantizes(
    b: int, k: int, n: int, rule: str, seed: int
) -> None:
    """(x - zero_point) @ w + bias in exact integers, then the rule."""
    rng = np.random.default_rng(seed)
    x, w, bias = _codes(rng, (b, k)), _codes(rng, (k, max(n, 1)), low=-127), _bias(rng, max(n, 1))
    zero_point = int(rng.integers(-128, 128))
    requant = _requant(rng, max(n, 1), rule)
    acc = [
        [
            sum((int(x[i, p]) - zero_point) * int(w[p, j]) for p in range(k)) + int(bias[j])
            for j in range(w.shape[1])
        ]
        for i in range(b)
    ]
    expected = requant.apply(np.array(acc, np.int64).reshape(b, w.shape[1]))
    result = intref.dense(x, w, bias, x_zero_point=zero_point, requant=requant)
    np.testing.assert_array_equal(result, expected)


@st.composite
def _conv_cases(draw: st.DrawFn) -> dict:
    groups = draw(st.sampled_from([1, 2, 3]))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    padding = draw(st.tuples(*[st.integers(0, 2)] * 4))
    need = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    return {
        "seed": draw(st.integers(0, 2**32 - 1)),
        "batch": draw(st.integers(0, 2)),
        "size": tuple(
            max(1, n - p) + draw(st.integers(0, 3))
            for n, p in zip(need, (padding[0] + padding[1], padding[2] + padding[3]), strict=True)
        ),
        "c_in": groups * draw(st.integers(1, 2)),
        "c_out": groups * draw(st.integers(1, 2)),
        "kernel": kernel,
        "geometry": {
            "stride": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
        },
    }


def _naive_conv(x, w, bias, zero_point, *, stride, padding, dilation, groups) -> np.ndarray:
    """Seven loops over the definition; out-of-range positions are real zero and skipped."""
    batch, height, width, _ = x.shape
    kh, kw, c_group, c_out = w.shape
    oh = (height + padding[0] + padding[1] - (kh - 1) * dilation[0] - 1) // stride[0] + 1
    ow = (width + padding[2] + padding[3] - (kw - 1) * dilation[1] - 1) // stride[1] + 1
    acc = np.zeros((batch, oh, ow, c_out), np.int64)
    for n, y, z, o in itertools.product(range(batch), range(oh), range(ow), range(c_out)):
        total = int(bias[o])
        first = (o // (c_out // groups)) * c_group
        for i, j, c in itertools.product(range(kh), range(kw), range(c_group)):
            row = y * stride[0] + i * dilation[0] - padding[0]
            column = z * stride[1] + j * dilation[1] - padding[2]
            if 0 <= row < height and 0 <= column < width:
                total += (int(x[n, row, column, first + c]) - zero_point) * int(w[i, j, c, o])
        acc[n, y, z, o] = total
    return acc


@settings(max_examples=60)
@given(_conv_cases())
def test_conv2d_is_the_nested_loops(case: dict) -> None:
    """Stride, asymmetric padding, dilation and groups, with padding at the zero point."""
    rng = np.random.default_rng(case["seed"])
    groups = case["geometry"]["groups"]
    x = _codes(rng, (case["batch"], *case["size"], case["c_in"]))
    w = _codes(rng, (*case["kernel"], case["c_in"] // groups, case["c_out"]), low=-127)
    bias, zero_point = _bias(rng, case["c_out"]), int(rng.integers(-128, 128))
    requant = _requant(rng, case["c_out"], "single_rounding")
    result = intref.conv2d(x, w, bias, x_zero_point=zero_point, requant=requant, **case["geometry"])
    acc = _naive_conv(x, w, bias, zero_point, **case["geometry"])
    np.testing.assert_array_equal(result, requant.apply(acc))


@settings(max_examples=30)
@given(_conv_cases(), st.integers(1, 3))
def test_depthwise_is_conv2d_with_a_group_per_channel(case: dict, multiplier: int) -> None:
    """Output c*m + j reads input channel c."""
    rng = np.random.default_rng(case["seed"])
    channels, geometry = case["c_in"], dict(case["geometry"])
    del geometry["groups"]
    x = _codes(rng, (case["batch"], *case["size"], channels))
    w = _codes(rng, (*case["kernel"], 1, channels * multiplier), low=-127)
    keywords = {
        "x_zero_point": int(rng.integers(-128, 128)),
        "requant": _requant(rng, channels * multiplier, "double_rounding"),
        **geometry,
    }
    bias = _bias(rng, channels * multiplier)
    np.testing.assert_array_equal(
        intref.depthwise_conv2d(x, w, bias, **keywords),
        intref.conv2d(x, w, bias, groups=channels, **keywords),
    )


def _dense_call(**changes):
    rng = np.random.default_rng(0)
    arguments = {
        "x": np.zeros((2, 3), np.int8),
        "weight": np.zeros((3, 4), np.int8),
        "bias": np.zeros(4, np.int32),
        "x_zero_point": 0,
        "requant": _requant(rng, 4, "single_rounding"),
        **changes,
    }
    return intref.dense(**arguments)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"x": np.zeros((2, 3), np.uint8)}, DTypeError, "x must have dtype int8, got uint8"),
        ({"x": np.zeros(3, np.int8)}, ShapeError, "x must have 2 axes"),
        ({"weight": np.zeros((4, 3), np.int8)}, ShapeError, r"weight must have shape \(3, any\)"),
        ({"weight": np.zeros((3, 4), np.float32)}, DTypeError, "weight must have dtype int8"),
        ({"bias": np.zeros(4, np.int64)}, DTypeError, "bias must have dtype int32"),
        ({"bias": np.zeros(3, np.int32)}, ShapeError, "bias"),
        ({"x_zero_point": 128}, RangeError, "x_zero_point"),
        (
            {"weight": np.zeros((3, 5), np.int8), "bias": np.zeros(5, np.int32)},
            ShapeError,
            "describes 4 channels",
        ),
    ],
)
def test_dense_refuses_what_does_not_fit(changes: dict, error: type, message: str) -> None:
    """Each operand that cannot mean anything is a typed error naming it."""
    with pytest.raises(error, match=message):
        _dense_call(**changes)


def test_conv2d_refuses_groups_that_do_not_divide() -> None:
    """Four input channels cannot form three groups."""
    rng = np.random.default_rng(0)
    with pytest.raises(ShapeError, match="groups=3 does not fit 4 input channels"):
        intref.conv2d(
            np.zeros((1, 4, 4, 4), np.int8),
            np.zeros((1, 1, 1, 3), np.int8),
            np.zeros(3, np.int32),
            x_zero_point=0,
            requant=_requant(rng, 3, "single_rounding"),
            groups=3,
        )
