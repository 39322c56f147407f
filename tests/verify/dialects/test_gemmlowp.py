"""gemmlowp's fixed point against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.verify.dialects import gemmlowp

int32s = st.integers(-(2**31), 2**31 - 1)


@given(int32s, int32s)
def test_the_high_half_is_rounded_half_up(a: int, b: int) -> None:
    """floor(a * b / 2**31 + 1/2); only INT_MIN squared saturates."""
    exact = min(2**31 - 1, int((Fraction(a * b, 2**31) + Fraction(1, 2)).__floor__()))
    assert gemmlowp.multiply(np.array([a]), b).tolist() == [exact]


@given(int32s, st.integers(0, 31))
def test_a_power_of_two_divides_half_away_from_zero(x: int, exponent: int) -> None:
    """Of negative numbers too."""
    size = int((Fraction(abs(x), 2**exponent) + Fraction(1, 2)).__floor__())
    exact = size if x >= 0 else -size
    assert gemmlowp.divide_by_power(np.array([x]), exponent).tolist() == [exact]


@given(int32s, st.integers(0, 8))
def test_a_left_shift_saturates(x: int, bits: int) -> None:
    """At the ends of int32."""
    expected = min(max(x * 2**bits, -(2**31)), 2**31 - 1)
    assert gemmlowp.saturating_shift(np.array([x]), bits).tolist() == [expected]


@pytest.mark.parametrize("bits", [4, 5])
def test_functions_are_near_the_real_ones(bits: int) -> None:
    """To 2**-21, over all of their domain; at 0 the constants that gemmlowp gives."""
    rng = np.random.default_rng(0)
    raw = np.concatenate([rng.integers(-(2**31) + 1, 2**31, 20_000), [0, 1, -1, 1 << (29 - bits)]])
    real = raw * 2.0 ** (bits - 31)
    below = np.minimum(raw, 0)
    exponential = gemmlowp.exp_on_negative_values(below, bits)
    np.testing.assert_allclose(exponential / 2**31, np.exp(np.minimum(real, 0)), atol=2.0**-21)
    logistic = gemmlowp.logistic(raw, 4) / 2**31
    np.testing.assert_allclose(logistic, 1 / (1 + np.exp(-raw * 2.0**-27)), atol=2.0**-21)
    tanh = gemmlowp.tanh(raw, 4) / 2**31
    np.testing.assert_allclose(tanh, np.tanh(raw * 2.0**-27), atol=2.0**-21)
    assert gemmlowp.exp_on_negative_values(np.array([0]), bits).tolist() == [2**31 - 1]
    assert gemmlowp.logistic(np.array([0]), 4).tolist() == [2**30]
    assert gemmlowp.tanh(np.array([0]), 4).tolist() == [0]


def test_reciprocals() -> None:
    """1 / (1 + a): one at 0, one half at 1."""
    a = np.array([0, 2**30, 2**31 - 1])
    np.testing.assert_allclose(
        gemmlowp.reciprocal_of_one_plus(a) / 2**31, [1, 2 / 3, 1 / 2], atol=2.0**-28
    )
