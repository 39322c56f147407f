"""rndnu and qnnpack against their sources, written out over Python's unbounded integers."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.errors import NotFiniteError, RangeError
from kdq_ref.rounding import double_rounding, qnnpack, rndnu, single_rounding

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
accumulators = st.one_of(
    st.sampled_from([INT32_MIN, INT32_MIN + 1, -3, -2, -1, 0, 1, 2, 3, INT32_MAX]),
    st.integers(INT32_MIN, INT32_MAX),
    st.integers(-1000, 1000),
)


def multipliers(largest: int) -> st.SearchStrategy[float]:
    """float32 in [2**-32, 2**largest), powers of two (ties) often."""
    return st.one_of(
        st.integers(-32, largest - 1).map(lambda e: 2.0**e),
        st.floats(2.0**-32, 2.0**largest, exclude_max=True, width=32),
    )


def _bits(scale: float) -> int:
    return struct.unpack("<I", struct.pack("<f", scale))[0]


def _xnnpack_rndnu(acc: int, scale: float) -> int:
    """xnn_qs8_requantize_rndnu__scalar before its clamp."""
    multiplier = _bits(scale) & 0x007FFFFF | 0x00800000
    shift = 127 + 23 - (_bits(scale) >> 23)
    assert 16 <= shift < 56
    return (acc * multiplier + (1 << (shift - 1))) >> shift


def _qnnpack_q31(acc: int, scale: float) -> int:
    """qnnp_q31_requantize before its clamp; its remainder looks at the sign of n, not of h."""
    multiplier = (_bits(scale) & 0x007FFFFF | 0x00800000) << 7
    shift = 127 + 31 - 32 - (_bits(scale) >> 23)
    assert 0 <= shift < 32
    q31product = (acc * multiplier + 0x40000000) >> 31
    mask = (1 << shift) - 1
    remainder = (q31product & mask) - (acc < 0)
    return (q31product >> shift) + (remainder > mask >> 1)


@given(accumulators, multipliers(8))
def test_rndnu_is_xnnpack(acc: int, scale: float) -> None:
    """The 64-bit product of a 24-bit multiplier, shifted once."""
    constants = rndnu.constants(1.0, scale, 1.0)
    assert rndnu.apply(np.array([acc]), constants) == _xnnpack_rndnu(acc, scale)


@given(accumulators, multipliers(0))
def test_qnnpack_is_its_source(acc: int, scale: float) -> None:
    """Two roundings, ties away from zero."""
    constants = qnnpack.constants(1.0, scale, 1.0)
    assert qnnpack.apply(np.array([acc]), constants) == _qnnpack_q31(acc, scale)


def test_the_multiplier_is_formed_in_float32() -> None:
    """The same scales give the rules in float64 another multiplier, in its last bits."""
    short, long = (r.constants(0.1, 0.003, 0.7) for r in (rndnu, single_rounding))
    assert short.multiplier[0] % 128 == 0 != long.multiplier[0] % 128
    assert abs(int(short.multiplier[0]) - int(long.multiplier[0])) <= 2 * 128
    scale = np.float32(np.float32(0.1) * np.float32(0.003)) / np.float32(0.7)
    assert short.multiplier[0] * 2.0 ** (short.exponent[0] - 31.0) == scale


def test_a_power_of_two_is_the_fixed_point_rule() -> None:
    """Where 24 bits hold the multiplier, nothing is left of the difference."""
    acc = np.arange(-300, 300)
    for short, long in ((rndnu, single_rounding), (qnnpack, double_rounding)):
        results = [rule.apply(acc, rule.constants(1.0, 0.375, 1.0)) for rule in (short, long)]
        np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(("rule", "high"), [(rndnu, 256.0), (qnnpack, 1.0)])
def test_multipliers_are_what_the_sources_assert(rule, high: float) -> None:
    """Up to the last float32 below the limit; below 2**-32 nothing is left of an int32."""
    assert rule.limits == (0.0, high)
    rule.constants(1.0, float(np.nextafter(np.float32(high), np.float32(0))), 1.0)
    assert rule.constants(1.0, 2.0**-32, 1.0).exponent == -31
    for real in (float(np.nextafter(np.float32(2.0**-32), np.float32(0))), 1e-30):
        constants = rule.constants(1.0, real, 1.0)
        assert (constants.multiplier[0], constants.exponent[0]) == (0, 0)
        assert INT32_MIN * real > -0.5
    with pytest.raises(RangeError, match="output scale"):
        rule.constants(1.0, high, 1.0)
    with pytest.raises(NotFiniteError, match="output scale"):
        rule.constants(1e30, 1e30, 1.0)


@pytest.mark.parametrize("rule", [rndnu, qnnpack])
def test_longer_mantissas_are_refused(rule) -> None:
    """A constant of the fixed-point rules is none of these."""
    constants = single_rounding.constants(0.1, 0.003, 0.7)
    with pytest.raises(RangeError, match="multiple of 128"):
        rule.check(constants)
