"""Quantize, dequantize, requantize."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref import intref
from kdq_ref.errors import DTypeError, NotFiniteError, RangeError
from kdq_ref.rounding import Requant, single_rounding

zero_points = st.integers(-128, 127)
floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
scales = st.one_of(
    st.sampled_from([1.0, 0.5, 2.0**-8, float(np.finfo(np.float32).tiny), 3e38]),
    st.floats(2.0**-20, 2.0**10, width=32),
)


@given(st.lists(floats, max_size=20), scales, zero_points)
def test_quantize_is_nearest_even_of_the_float32_quotient(
    values: list[float], scale: float, zero_point: int
) -> None:
    """One float32 division, round half to even, clamp: checked with exact fractions."""
    x = np.array(values, np.float32)
    result = intref.quantize(x, scale=scale, zero_point=zero_point)
    assert result.dtype == np.int8
    with np.errstate(over="ignore"):
        quotients = x / np.float32(scale)
    for q, quotient in zip(result, quotients, strict=True):
        if np.isinf(quotient):
            assert q == (127 if quotient > 0 else -128)
        else:
            exact = round(Fraction(float(quotient))) + zero_point
            assert q == min(max(exact, -128), 127)


@pytest.mark.parametrize(("x", "q"), [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, -2)])
def test_quantize_ties_go_to_even(x: float, q: int) -> None:
    """Not away from zero, and before the zero point is added (an odd one shows it)."""
    x32 = np.array([x], np.float32)
    assert intref.quantize(x32, scale=1.0, zero_point=0)[0] == q
    assert intref.quantize(x32, scale=1.0, zero_point=-3)[0] == q - 3


@given(st.floats(2.0**-20, 2.0**10, width=32), zero_points)
def test_every_code_survives_a_round_trip(scale: float, zero_point: int) -> None:
    """quantize(dequantize(q)) == q for all 256 codes."""
    q = np.arange(-128, 128).astype(np.int8)
    real = intref.dequantize(q, scale=scale, zero_point=zero_point)
    assert real.dtype == np.float32
    np.testing.assert_array_equal(intref.quantize(real, scale=scale, zero_point=zero_point), q)


def test_bad_input_is_a_typed_error() -> None:
    """NaN, infinities, other dtypes, useless scales."""
    good = np.zeros(3, np.float32)
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(NotFiniteError, match="first at index \\(1,\\)"):
            intref.quantize(np.array([0, bad, 0], np.float32), scale=1.0, zero_point=0)
    with pytest.raises(DTypeError):
        intref.quantize(good.astype(np.float64), scale=1.0, zero_point=0)
    for scale in (0.0, -1.0, np.nan, np.inf, 1e-46, 1e39):
        with pytest.raises(RangeError, match="scale"):
            intref.quantize(good, scale=scale, zero_point=0)
    with pytest.raises(RangeError, match="zero_point"):
        intref.quantize(good, scale=1.0, zero_point=128)


def test_requantize_takes_int32_only() -> None:
    """The accumulator's dtype is part of the contract."""
    requant = Requant(single_rounding, single_rounding.constants(1.0, 0.5, 1.0), 0)
    acc = np.array([[3, -3, 2**31 - 1]], np.int32)
    np.testing.assert_array_equal(intref.requantize(acc, requant), [[2, -1, 127]])
    with pytest.raises(DTypeError):
        intref.requantize(acc.astype(np.int64), requant)


@given(st.integers(-128, 127), st.lists(st.floats(-500, 500, width=32), min_size=1))
def test_zero_points_may_be_numpy_integers(zero_point: int, values: list[float]) -> None:
    """np.int8 must not wrap around where the clamp is computed."""
    x = np.array(values, np.float32)
    np.testing.assert_array_equal(
        intref.quantize(x, scale=1.0, zero_point=np.int8(zero_point)),
        intref.quantize(x, scale=1.0, zero_point=zero_point),
    )
