"""The float32 rule against exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.errors import InvalidArgumentError, NotFiniteError, ShapeError
from kdq_ref.rounding import Constants, fbgemm, float32_rne, single_rounding


def _nearest_float32(value: Fraction) -> Fraction:
    """Round to float32, half to even, by exact arithmetic (normal range)."""
    if value == 0:
        return value
    magnitude, exponent = abs(value), 0
    while magnitude >= 2:
        magnitude, exponent = magnitude / 2, exponent + 1
    while magnitude < 1:
        magnitude, exponent = magnitude * 2, exponent - 1
    rounded = Fraction(round(magnitude * 2**23), 2**23) * Fraction(2) ** exponent
    return rounded if value > 0 else -rounded


def _apply(acc: int, scale: np.float32) -> int:
    zeros = np.zeros(1, np.int32)
    return int(float32_rne.apply(np.array([acc]), Constants(zeros, zeros, np.array([scale])))[0])


accumulators = st.one_of(
    st.integers(-(2**31), 2**31 - 1), st.sampled_from([2**24 + 1, -(2**24) - 1, 2**25 + 3])
)
multipliers = st.one_of(
    st.floats(2.0**-30, 4.0, width=32), st.sampled_from([0.5, 0.25, 2.0**-10, 1.0])
)


@given(accumulators, multipliers)
def test_each_step_rounds_to_float32(acc: int, scale: float) -> None:
    """rne(float32(float32(acc) * scale)), each rounding half to even."""
    product = _nearest_float32(_nearest_float32(Fraction(acc)) * Fraction(scale))
    # round() of a Fraction is half to even.
    expected = min(max(round(product), -(2**31)), 2**31)
    assert _apply(acc, np.float32(scale)) == expected


def test_ties_go_to_even_and_large_accumulators_lose_bits() -> None:
    """0.5, 1.5, 2.5 -> 0, 2, 2; and 2**24 + 1 is not a float32."""
    assert [_apply(acc, np.float32(0.5)) for acc in (1, 3, 5, -1, -3)] == [0, 2, 2, 0, -2]
    assert _apply(2**24 + 1, np.float32(1.0)) == 2**24


def test_the_multiplier_is_formed_in_float32() -> None:
    """float32(s_x * s_w) / s_y in float32: not the rounded float64 quotient."""
    s_x, s_w, s_y = np.float32(0.0123), np.float32(0.0457), np.float32(0.0789)
    constants = float32_rne.constants(float(s_x), float(s_w), float(s_y))
    assert constants.scale[0] == (s_x * s_w) / s_y
    assert constants.scale.dtype == np.float32


def test_an_infinite_multiplier_is_refused() -> None:
    """A ratio beyond float32 is an error, not an infinity to compute with."""
    with pytest.raises(NotFiniteError, match="output scale"):
        float32_rne.constants(1e30, 1e30, 1.0)


def test_fbgemm_adds_the_bias_after_the_conversion() -> None:
    """A bias inside the accumulator would be rounded with it; beyond 2**24 it shows."""
    acc, bias, one = 2**24 + 1, 1.0, np.ones(1, np.float32)
    zeros = np.zeros(1, np.int32)
    real = Constants(zeros, zeros, one, bias=np.array([bias], np.float32))
    assert fbgemm.apply(np.array([acc]), real) == 2**24  # 2**24 + 1 is not a float32, twice
    assert float32_rne.apply(np.array([acc + 1]), Constants(zeros, zeros, one)) == 2**24 + 2


@given(accumulators, st.integers(-(2**30), 2**30), multipliers)
def test_fbgemm_rounds_every_step(acc: int, eighths: int, scale: float) -> None:
    """rne((float32(acc) + bias) * scale), each rounding half to even."""
    zeros, bias = np.zeros(1, np.int32), np.float32(eighths / 8)
    constants = Constants(zeros, zeros, np.array([scale], np.float32), bias=np.array([bias]))
    total = _nearest_float32(_nearest_float32(Fraction(acc)) + Fraction(float(bias)))
    product = _nearest_float32(total * Fraction(scale))
    expected = round(product) if -(2**31) <= product < 2**31 else -(2**31)
    assert fbgemm.apply(np.array([acc]), constants) == expected


def test_fbgemm_overflows_to_the_smallest_integer() -> None:
    """cvtps2dq's answer for all that does not fit, also above."""
    constants = fbgemm.constants(2.0, 1.0, 1.0)
    assert fbgemm.apply(np.array([2**31 - 1, 2**30, 2**30 - 64]), constants).tolist() == [
        -(2**31),
        -(2**31),
        2**31 - 128,
    ]


def test_a_real_bias_is_inverted_once_or_divided() -> None:
    """One weight scale for all: bias * (1 / s); one per channel: bias / s. Both in float32."""
    rng = np.random.default_rng(0)
    bias = rng.standard_normal(1000).astype(np.float32)
    s_x, s_w = np.float32(0.0123), np.float32(0.00457)
    shared = fbgemm.constants(float(s_x), float(s_w), 0.1, bias)
    apart = fbgemm.constants(float(s_x), np.full(1000, s_w, np.float64), 0.1, bias)
    np.testing.assert_array_equal(shared.bias, bias * (np.float32(1) / (s_x * s_w)))
    np.testing.assert_array_equal(apart.bias, bias / (s_x * s_w))
    assert (shared.bias != apart.bias).any()
    np.testing.assert_array_equal(shared.scale, apart.scale)


def test_biases_that_do_not_fit_are_typed_errors() -> None:
    """Wrong length, not finite, beyond float32, or a rule that wants it in the accumulator."""
    with pytest.raises(ShapeError, match="bias"):
        fbgemm.constants(1.0, [1.0, 1.0], 1.0, np.zeros(3))
    with pytest.raises(NotFiniteError, match="bias"):
        fbgemm.constants(1.0, 1.0, 1.0, np.array([np.nan]))
    with pytest.raises(NotFiniteError, match="bias"):
        fbgemm.constants(1e-30, 1.0, 1e-30, np.array([1e30]))
    with pytest.raises(InvalidArgumentError, match="inside the accumulator"):
        single_rounding.constants(1.0, 1.0, 1.0, np.zeros(1))
    assert fbgemm.keeps_bias_real
    assert not single_rounding.keeps_bias_real
