"""The rules in double precision against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.errors import NotFiniteError, RangeError
from kdq_ref.rounding import Constants, float64_half_away, onnx_spec

RULES = [float64_half_away, onnx_spec]
accumulators = st.one_of(st.integers(-(2**31), 2**31 - 1), st.integers(-1000, 1000))
multipliers = st.one_of(
    st.sampled_from([0.5, 0.25, 2.0**-10, 1.0, 1.5, 3 * 2.0**-20]), st.floats(2.0**-40, 4.0)
)


def _constants(real: float) -> Constants:
    zeros = np.zeros(1, np.int32)
    return Constants(zeros, zeros, np.zeros(1, np.float32), np.array([real]))


def _half_away(value: Fraction) -> int:
    magnitude = math.floor(abs(value) + Fraction(1, 2))
    return magnitude if value >= 0 else -magnitude


@given(accumulators, multipliers)
def test_the_product_rounds_to_float64_and_then_to_an_integer(acc: int, real: float) -> None:
    """Python's float product is the float64 product; round() of a Fraction is half to even."""
    product = Fraction(float(acc) * real)
    saturated = min(max(product, Fraction(-(2**31))), Fraction(2**31))
    assert onnx_spec.apply(np.array([acc]), _constants(real)) == round(saturated)
    assert float64_half_away.apply(np.array([acc]), _constants(real)) == _half_away(saturated)


def test_ties_tell_them_apart() -> None:
    """1/2, 3/2, 5/2 and their negatives."""
    acc = np.array([1, 3, 5, -1, -3, -5])
    assert onnx_spec.apply(acc, _constants(0.5)).tolist() == [0, 2, 2, 0, -2, -2]
    assert float64_half_away.apply(acc, _constants(0.5)).tolist() == [1, 2, 3, -1, -2, -3]


def test_just_below_a_tie_is_not_a_tie() -> None:
    """0.49999999999999994 + 0.5 is 1.0 in float64; the rules must not add."""
    below = float(np.nextafter(0.5, 0))
    assert float64_half_away.apply(np.array([1, -1]), _constants(below)).tolist() == [0, 0]


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_the_multiplier_is_formed_in_float64(s_x: float, s_w: float, s_y: float) -> None:
    """One product, then one quotient."""
    for rule in RULES:
        assert rule.constants(s_x, s_w, s_y).real[0] == s_x * s_w / s_y


def test_results_beyond_int32_saturate() -> None:
    """Also an infinite product."""
    acc = np.array([-(2**31), -1, 1, 2**31 - 1])
    for rule in RULES:
        for real in (2.0**31, 1e308):
            result = rule.apply(acc, _constants(real))
            assert result.tolist() == [-(2**31), -(2**31), 2**31, 2**31]


@pytest.mark.parametrize("rule", RULES)
def test_impossible_multipliers_are_typed_errors(rule) -> None:
    """Not finite, or negative."""
    with pytest.raises(NotFiniteError, match="output scale"):
        rule.constants(1e200, 1e200, 1.0)
    with pytest.raises(RangeError, match="negative"):
        rule.check(_constants(-1.0))
