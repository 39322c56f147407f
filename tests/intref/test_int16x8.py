"""16x8 products against nested loops over Python integers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from strategies.int16x8 import BIAS_LIMIT, dense_16x8_problems, gemm_16x8_problems

from kdq_ref import intref
from kdq_ref.errors import DTypeError, RangeError, ShapeError
from kdq_ref.rounding import Constants, Requant16x8, reduced_16x8

REQUANT = Requant16x8(reduced_16x8.constants(1.0, 0.5, 1.0))


def _sum(a: np.ndarray, b: np.ndarray) -> int:
    return sum(x * w for x, w in zip(a.tolist(), b.tolist(), strict=True))


@given(gemm_16x8_problems())
def test_gemm_is_the_sum_of_products(problem: tuple[np.ndarray, np.ndarray]) -> None:
    """Every element is a sum of Python integers, also for empty sizes; corners of large results."""
    a, b = problem
    c = intref.gemm_16x8(a, b)
    assert c.dtype == np.int64
    assert c.shape == (a.shape[0], b.shape[1])
    for i, j in itertools.product(_ends(a.shape[0]), _ends(b.shape[1])):
        assert c[i, j] == _sum(a[i], b[:, j])


def _ends(n: int) -> list[int]:
    return sorted({0, 1, n - 1} & set(range(n)))


def test_gemm_leaves_int32() -> None:
    """K = 131,071 of -32768 * -128 is just below 2**39; one more is refused."""
    a, b = np.full((1, 131_071), -32768, np.int16), np.full((131_071, 1), -128, np.int8)
    assert intref.gemm_16x8(a, b)[0, 0] == 131_071 * 2**22 < 2**39
    with pytest.raises(ShapeError, match="131072 int16"):
        intref.gemm_16x8(np.zeros((1, 131_072), np.int16), np.zeros((131_072, 1), np.int8))


@given(dense_16x8_problems())
def test_dense_multiplies_and_requantizes(problem: tuple[np.ndarray, dict[str, Any]]) -> None:
    """x @ w + bias in Python integers, then the rule, written out for 15 bits, and the clamp."""
    x, keywords = problem
    y = intref.dense_16x8(x, **keywords)
    weight, bias, requant = (keywords[name] for name in ("weight", "bias", "requant"))
    assert y.dtype == np.int16
    assert y.shape == (x.shape[0], weight.shape[1])
    for i, j in itertools.product(_ends(x.shape[0]), _ends(weight.shape[1])):
        at = j if requant.channels > 1 else 0
        m, e = int(requant.constants.multiplier[at]), int(requant.constants.exponent[at])
        reduced = (m + 2**15) >> 16 if m < 0x7FFF0000 else 0x7FFF
        acc = _sum(x[i], weight[:, j]) + int(bias[j])
        if requant.rule is reduced_16x8:
            scaled = (acc * reduced + 2 ** (14 - e)) >> (15 - e)
        else:
            constants = Constants(
                *(value[at : at + 1] for value in vars(requant.constants).values())
            )
            scaled = int(requant.rule.apply(np.array([acc]), constants)[0])
        assert y[i, j] == min(max(scaled, requant.qmin), requant.qmax)


def test_an_accumulator_beyond_int32_is_not_wrapped() -> None:
    """2**31 and 2**32 are scaled as what they are."""
    x = np.full((1, 1024), -32768, np.int16)
    weight = np.full((1024, 2), -128, np.int8)
    bias = np.array([0, -(2**31)], np.int64)
    requant = Requant16x8(reduced_16x8.constants(2.0**-20, 1.0, 1.0))
    assert intref.dense_16x8(x, weight, bias, requant=requant).tolist() == [[2**12, 2**11]]


@pytest.mark.parametrize("bias", [-BIAS_LIMIT, BIAS_LIMIT])
def test_the_largest_bias_and_the_longest_product_fit(bias: int) -> None:
    """Together they stay inside the 48 bits of the rule; a larger bias is refused."""
    sign = -1 if bias < 0 else 1
    x = np.full((1, 131_071), -32768, np.int16)
    weight = np.full((131_071, 1), -128 if bias > 0 else 127, np.int8)
    y = intref.dense_16x8(x, weight, np.array([bias]), requant=REQUANT)
    assert y[0, 0] == (32767 if bias > 0 else -32768)
    with pytest.raises(RangeError, match="bias"):
        intref.dense_16x8(x, weight, np.array([bias + sign]), requant=REQUANT)


def test_requantize_takes_int64_only() -> None:
    """The accumulator's dtype is part of the contract."""
    acc = np.array([[3, -3, 2**40]], np.int64)
    np.testing.assert_array_equal(intref.requantize_16x8(acc, REQUANT), [[2, -1, 32767]])
    with pytest.raises(DTypeError):
        intref.requantize_16x8(acc.astype(np.int32), REQUANT)


def test_wrong_operands_are_typed_errors() -> None:
    """Each argument's dtype and size; the message names it."""
    x, weight, bias = np.zeros((2, 3), np.int16), np.zeros((3, 4), np.int8), np.zeros(4, np.int64)
    for wrong, error, match in (
        ((x.astype(np.int8), weight, bias), DTypeError, "x must have dtype int16"),
        ((x[0], weight, bias), ShapeError, "x must have 2 axes"),
        ((x, weight.astype(np.int16), bias), DTypeError, "weight must have dtype int8"),
        ((x, weight[:2], bias), ShapeError, "weight must have shape"),
        ((x, weight, bias.astype(np.int32)), DTypeError, "bias must have dtype int64"),
        ((x, weight, bias[:3]), ShapeError, "bias must have shape"),
    ):
        with pytest.raises(error, match=match):
            intref.dense_16x8(*wrong, requant=REQUANT)
    three = Requant16x8(reduced_16x8.constants(1.0, [0.5, 0.5, 0.5], 1.0))
    with pytest.raises(ShapeError, match="3 channels"):
        intref.dense_16x8(x, weight, bias, requant=three)
    with pytest.raises(DTypeError, match="a must have dtype int16"):
        intref.gemm_16x8(weight, weight)
