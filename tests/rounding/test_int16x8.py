"""The rule of 16x8 against Python's unbounded integers, in the form its source states."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.int16x8 import ACC_MAX, ACC_MIN

from kdq_ref.errors import (
    DTypeError,
    InvalidArgumentError,
    NotFiniteError,
    RangeError,
    ShapeError,
)
from kdq_ref.rounding import (
    RULES_16X8,
    Constants,
    Requant16x8,
    double_rounding,
    double_rounding_16x8,
    reduced_16x8,
    single_rounding,
    single_rounding_16x8,
)

EXTREME = [ACC_MIN, ACC_MIN + 1, -(2**31) - 1, -2, -1, 0, 1, 2, 2**31, ACC_MAX - 1, ACC_MAX]
accumulators = st.one_of(st.sampled_from(EXTREME), st.integers(ACC_MIN, ACC_MAX))
mantissas = st.one_of(
    st.sampled_from([0, 2**30, 2**30 + 2**15 - 1, 2**30 + 2**15, 0x7FFEFFFF, 0x7FFF0000]),
    st.sampled_from([0x7FFF7FFF, 0x7FFF8000, 2**31 - 1]),
    st.integers(2**30, 2**31 - 1),
)
exponents = st.integers(-31, 7)


def _constants(mantissa: int, exponent: int) -> Constants:
    return Constants(
        np.array([mantissa], np.int32), np.array([exponent], np.int32), np.zeros(1, np.float32)
    )


def _one(acc: int, mantissa: int, exponent: int) -> int:
    return int(reduced_16x8.apply(np.array([acc], np.int64), _constants(mantissa, exponent))[0])


def _reduced(m: int) -> int:
    """TensorFlow Lite's reduced_multiplier."""
    return (m + (1 << 15)) >> 16 if m < 0x7FFF0000 else 0x7FFF


@given(accumulators, mantissas, exponents)
def test_it_is_half_up_of_the_exact_product_with_15_bits(acc: int, m: int, e: int) -> None:
    """floor(acc * m' * 2**(e - 15) + 1/2), computed without any rounding in between."""
    exact = Fraction(acc * _reduced(m)) * Fraction(2) ** (e - 15)
    assert _one(acc, m, e) == (exact + Fraction(1, 2)).__floor__()


@given(accumulators, mantissas, exponents, st.integers(-32768, 32767), st.integers(-32768, 32767))
def test_the_clamp_comes_last(acc: int, m: int, e: int, a: int, b: int) -> None:
    """int16 out, also where the scaled accumulator leaves even int32."""
    low, high = min(a, b), max(a, b)
    result = Requant16x8(_constants(m, e), low, high).apply(np.array([acc], np.int64))
    assert result.dtype == np.int16
    assert result[0] == min(max(_one(acc, m, e), low), high)


@pytest.mark.parametrize(("acc", "half"), [(1, 1), (-1, 0), (3, 2), (-3, -1), (2, 1), (-2, -1)])
def test_ties_go_up(acc: int, half: int) -> None:
    """M = 1/2, and the same after 2**13 and 2**36 times smaller multipliers."""
    assert _one(acc, 2**30, 0) == half
    assert _one(acc << 13, 2**30, -13) == half
    assert _one(acc << 31, 2**30, -31) == half


@pytest.mark.parametrize(
    ("m", "reduced"),
    [
        (2**30, 2**14),
        (2**30 + 2**15 - 1, 2**14),
        (2**30 + 2**15, 2**14 + 1),  # the tie goes up
        (0x7FFEFFFF, 0x7FFF),
        (0x7FFF7FFF, 0x7FFF),
        (0x7FFF8000, 0x7FFF),  # rounding would reach 2**15
        (2**31 - 1, 0x7FFF),
        (0, 0),
    ],
)
def test_the_mantissa_is_reduced_to_15_bits(m: int, reduced: int) -> None:
    """An accumulator of 2**15 with e = 0 shows m' itself."""
    assert _one(2**15, m, 0) == reduced == _reduced(m)


def test_it_is_not_single_rounding() -> None:
    """15 bits of mantissa and 31 differ by one part in 2**15."""
    acc, m, e = 2**30, 2**30 + 2**15, -14
    assert _one(acc, m, e) == 2**15 + 2
    assert int(single_rounding.apply(np.array([acc]), _constants(m, e))[0]) == 2**15 + 1


def test_channels_have_their_own_constants() -> None:
    """Column by column; one set serves any shape, also empty."""
    requant = Requant16x8(reduced_16x8.constants(0.5, [0.5, 1.0, 200.0], 1.0))
    acc = np.array([[7, 7, 7], [-6, -5, 400]], np.int64)
    np.testing.assert_array_equal(requant.apply(acc), [[2, 4, 700], [-1, -2, 32767]])
    one = Requant16x8(reduced_16x8.constants(1, 0.5, 1))
    assert one.apply(np.zeros((2, 0), np.int64)).shape == (2, 0)
    with pytest.raises(ShapeError, match="3 channels do not fit"):
        requant.apply(acc[:, :2])


def test_constants_are_those_of_the_fixed_point_rules() -> None:
    """Same mantissa and exponent; a multiplier of 2**7 or more is refused, a vanishing one is 0."""
    ours, theirs = (r.constants(0.01, [0.3, 1e-12], 0.7) for r in (reduced_16x8, single_rounding))
    np.testing.assert_array_equal(ours.multiplier, theirs.multiplier)
    np.testing.assert_array_equal(ours.exponent, theirs.exponent)
    assert (ours.multiplier[1], ours.exponent[1]) == (0, 0)
    assert reduced_16x8.constants(127.999, 1.0, 1.0).exponent[0] == 7
    for real in (128.0, 1e6, 1e12):
        with pytest.raises(RangeError, match="output scale"):
            reduced_16x8.constants(real, 1.0, 1.0)
    for bad in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises((RangeError, NotFiniteError)):
            reduced_16x8.constants(1.0, bad, 1.0)


@pytest.mark.parametrize("acc", [ACC_MIN - 1, ACC_MAX + 1, -(2**63), 2**63 - 1])
def test_accumulators_beyond_48_bits_are_refused(acc: int) -> None:
    """TensorFlow Lite asserts the same."""
    with pytest.raises(RangeError, match="accumulator must be in"):
        Requant16x8(_constants(2**30, 0)).apply(np.array([0, acc], np.int64))


@pytest.mark.parametrize(
    ("m", "e", "clamp", "error"),
    [
        (2**30, 8, (), RangeError),
        (2**30, -32, (), RangeError),
        (2**30 - 1, 0, (), RangeError),
        (-1, 0, (), RangeError),
        (2**30, 0, (-32769, 0), RangeError),
        (2**30, 0, (0, 32768), RangeError),
        (2**30, 0, (1, 0), RangeError),
        (2**30, 0, (0.5, 1), DTypeError),
    ],
)
def test_impossible_parameters_are_typed_errors(m, e, clamp, error: type) -> None:
    """Constants as the source asserts, the clamp inside int16 and in order."""
    with pytest.raises(error):
        Requant16x8(_constants(m, e), *clamp)


def test_other_accumulators_and_no_channels_are_typed_errors() -> None:
    """int64 is part of the contract; constants for nothing cannot requantize anything."""
    with pytest.raises(DTypeError, match="acc must have dtype int64"):
        Requant16x8(_constants(2**30, 0)).apply(np.zeros(3, np.int32))
    empty = Constants(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))
    with pytest.raises(ShapeError):
        Requant16x8(empty)


def _cmsis_requantize_s64(acc: int, m: int, e: int) -> int:
    """CMSIS-NN's arm_nn_requantize_s64, transcribed without its cut to 32 bits."""
    return ((acc * _reduced(m) >> (14 - e)) + 1) >> 1


@given(accumulators, mantissas, exponents)
def test_the_form_of_cmsis_nn_is_the_same_number(acc: int, m: int, e: int) -> None:
    """Shifting by all but one bit and rounding the last one is half up, too."""
    assert _one(acc, m, e) == _cmsis_requantize_s64(acc, m, e)


@given(accumulators, mantissas, st.integers(-31, 30))
def test_int32_biases_take_the_rules_of_int32(acc: int, m: int, e: int) -> None:
    """31 bits of multiplier on the accumulator modulo 2**32."""
    constants, wrapped = _constants(m, e), (acc + 2**31) % 2**32 - 2**31
    for rule, plain in (
        (single_rounding_16x8, single_rounding),
        (double_rounding_16x8, double_rounding),
    ):
        assert rule.apply(np.array([acc]), constants) == plain.apply(np.array([wrapped]), constants)


def test_what_tells_the_rules_apart() -> None:
    """A tie below zero; a mantissa that 15 bits cannot hold."""
    found = {}
    for name, rule in RULES_16X8.items():
        requant = Requant16x8(_constants(2**30, -1), rule=rule)
        found[name] = requant.apply(np.array([-2, -6, 2, 6])).tolist()
    assert found == {
        "reduced_16x8": [0, -1, 1, 2],
        "single_rounding_16x8": [0, -1, 1, 2],
        "double_rounding_16x8": [-1, -2, 1, 2],
    }
    fine = _constants(2**30 + 2**14, 0)  # 1/2 + 2**-17
    results = [int(rule.apply(np.array([2**29]), fine)[0]) for rule in RULES_16X8.values()]
    assert results == [2**28, 2**28 + 2**12, 2**28 + 2**12]


def test_rules_of_int8_are_refused() -> None:
    """Their accumulators are int32, and so are those of the C form."""
    with pytest.raises(InvalidArgumentError, match="reduced_16x8, single_rounding_16x8"):
        Requant16x8(_constants(2**30, 0), rule=single_rounding)
    assert [rule.c_id for rule in RULES_16X8.values()] == list(range(len(RULES_16X8)))
