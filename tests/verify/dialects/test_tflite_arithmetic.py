"""Integer arithmetic of TensorFlow Lite's kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialects.tflite_arithmetic import (
    DOUBLE,
    TIES_UP,
    activation_limits,
    affine_multipliers,
    check_sum_scales,
    converted,
    finished,
    int32,
    quantized_multiplier,
    round_half_away,
)
from kdq_ref.verify.network import Encoding


@given(st.integers(-(2**62), 2**62))
def test_int32_wraps(value: int) -> None:
    """Modulo 2**32."""
    assert int32(np.array([value])).tolist() == [(value + 2**31) % 2**32 - 2**31]


def test_two_roundings_differ_from_one() -> None:
    """The case of tensorflow #25087: 7984 * 0.00144027 is 11.499, and becomes 12."""
    constants = quantized_multiplier(1583594044 * 2.0 ** (-31 - 9))
    assert constants.multiplier.tolist() == [1583594044]
    acc = np.array([7984, -7984])
    assert DOUBLE(acc, constants).tolist() == [12, -12]
    assert TIES_UP(acc, constants).tolist() == [12, -11]
    assert round_half_away(acc * 0.0014402703931141053).tolist() == [11, -11]


def test_a_left_shift_wraps_before_the_multiplication() -> None:
    """2**20 * 2**12 does not fit int32: the accumulator becomes 0 instead of saturating."""
    constants = quantized_multiplier(2.0**11)
    assert constants.exponent.tolist() == [12]
    assert DOUBLE(np.array([2**20, 3, -(2**19) - 1]), constants).tolist() == [
        0,
        3 * 2**11,
        2**30 - 2**11,
    ]


@given(st.floats(2.0**-40, 2.0**29))
def test_multipliers_are_mantissa_and_exponent(real: float) -> None:
    """To 31 bits; below 2**-32 everything vanishes."""
    constants = quantized_multiplier(real)
    m, e = int(constants.multiplier[0]), int(constants.exponent[0])
    if m == 0:
        assert real < 2.0**-31
    else:
        assert 2**30 <= m < 2**31
        assert math.isclose(m * 2.0 ** (e - 31), real, rel_tol=2.0**-31)


def test_affine_multipliers_are_formed_in_float64() -> None:
    """One for every weight scale."""
    start, end = Encoding("int8", 0.1), Encoding("int8", 0.3)
    scales = np.array([0.7, 0.01], np.float32)
    constants = affine_multipliers(start, scales, end)
    for index, scale in enumerate(scales):
        expected = quantized_multiplier(0.1 * float(scale) / 0.3)
        assert constants.multiplier[index] == expected.multiplier[0]
        assert constants.exponent[index] == expected.exponent[0]


@given(st.integers(-(2**23), 2**23), st.sampled_from([np.float32, np.float64]))
def test_halves_go_away_from_zero(twice: int, dtype: type) -> None:
    """Like C's round, where half of a number is exact."""
    value = dtype(twice) / dtype(2)
    size = math.floor(abs(float(value)) + 0.5)
    assert float(round_half_away(value)) == math.copysign(size, float(value))
    below = np.nextafter(dtype(0.5), dtype(0))
    assert float(round_half_away(below)) == 0  # adding one half to it would give 1


def test_what_does_not_fit_becomes_the_smallest_integer() -> None:
    """Of either sign: the conversion of x86."""
    values = np.array([2.0**31, -(2.0**31), -(2.0**31) - 1, 2.0**31 - 1, 1e30, 5])
    low = -(2**31)
    assert converted(values).tolist() == [low, low, low, 2**31 - 1, low, 5]


def test_clamps_round_before_the_zero_point_is_added() -> None:
    """6 / 4 is 1.5, away from zero 2, plus the zero point; infinities are the ends."""
    encoding = Encoding("int8", 4.0, 1)
    assert activation_limits(encoding, None) == (-128, 127)
    assert activation_limits(encoding, (0.0, 6.0)) == (1, 3)
    assert activation_limits(encoding, (-6.0, math.inf)) == (-1, 127)
    assert activation_limits(Encoding("int8", 0.01, 0), (0.0, 6.0)) == (0, 127)
    with pytest.raises(UnsupportedError, match="refuses a fused clamp at 6"):
        activation_limits(Encoding("int8", 2.0**-30, 0), (0.0, 6.0))


def test_the_zero_point_wraps_like_the_accumulator() -> None:
    """INT_MAX + 1 is negative, and ends at the smallest code."""
    values = np.array([2**31 - 1, 5, -(2**31)])
    assert finished(values, Encoding("int8", 1.0, 1)).tolist() == [-128, 6, -128]


def test_a_sum_that_would_end_the_process_is_refused() -> None:
    """From a quotient of 2**19 on (tensorflow #60815)."""
    check_sum_scales("y", 1.0, 2.0**-18)
    with pytest.raises(UnsupportedError, match=r"'y' adds in steps of 1\.0 .* aborts the process"):
        check_sum_scales("y", 1.0, 2.0**-19)
