"""Fixed-point rules against Python's unbounded integers, in the form their sources state."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdq_ref.errors import NotFiniteError, RangeError, ShapeError
from kdq_ref.rounding import (
    RULES,
    Constants,
    double_rounding,
    double_rounding_ties_up,
    single_rounding,
)

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
EXTREME = [INT32_MIN, INT32_MIN + 1, -3, -2, -1, 0, 1, 2, 3, INT32_MAX - 1, INT32_MAX]
accumulators = st.one_of(st.sampled_from(EXTREME), st.integers(INT32_MIN, INT32_MAX))
mantissas = st.one_of(
    st.sampled_from([0, 2**30, 2**30 + 1, 3 * 2**29, 2**31 - 2, 2**31 - 1]),
    st.integers(2**30, 2**31 - 1),
)
exponents = st.integers(-31, 30)


def _constants(mantissa: int, exponent: int) -> Constants:
    return Constants(
        np.array([mantissa], np.int32), np.array([exponent], np.int32), np.zeros(1, np.float32)
    )


def _one(rule, acc: int, mantissa: int, exponent: int) -> int:
    return int(rule.apply(np.array([acc]), _constants(mantissa, exponent))[0])


def _divide_truncating(a: int, b: int) -> int:
    """C's integer division."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _saturating_rounding_doubling_high_mul(a: int, b: int) -> int:
    """gemmlowp fixedpoint.h, transcribed; b is never INT32_MIN here."""
    product = a * b
    nudge = (1 << 30) if product >= 0 else (1 - (1 << 30))
    return _divide_truncating(product + nudge, 1 << 31)


def _rounding_divide_by_pot(x: int, exponent: int) -> int:
    """Nearest integer to x / 2**exponent, ties away from zero, by exact fractions."""
    value = Fraction(x, 1 << exponent)
    magnitude = int(abs(value) + Fraction(1, 2))
    return magnitude if value >= 0 else -magnitude


@given(accumulators, mantissas, exponents)
def test_single_rounding_is_half_up_of_the_exact_product(acc: int, m: int, e: int) -> None:
    """floor(acc * m * 2**(e - 31) + 1/2), computed without any rounding in between."""
    exact = Fraction(acc * m) * Fraction(2) ** (e - 31)
    assert _one(single_rounding, acc, m, e) == (exact + Fraction(1, 2)).__floor__()


@given(accumulators, mantissas, exponents)
def test_double_rounding_is_gemmlowp(acc: int, m: int, e: int) -> None:
    """The doubling high multiply and the divide by a power of two, one after the other."""
    shifted = min(max(acc << max(e, 0), INT32_MIN), INT32_MAX)
    high = _saturating_rounding_doubling_high_mul(shifted, m)
    assert _one(double_rounding, acc, m, e) == _rounding_divide_by_pot(high, max(-e, 0))


def _vqrdmulhq(a: int, b: int) -> int:
    """NEON's rounding doubling high multiply: half up, and b is never INT32_MIN here."""
    return (2 * a * b + (1 << 31)) >> 32


def _vrshlq(x: int, shift: int) -> int:
    """NEON's rounding shift by a negative count: half up."""
    return (x + (1 << (-shift - 1))) >> -shift if shift < 0 else x << shift


@given(accumulators, mantissas, exponents)
def test_ties_up_is_the_vectors_of_tensorflow_lite(acc: int, m: int, e: int) -> None:
    """MultiplyByQuantizedMultiplier4Rows, lane by lane."""
    shifted = min(max(acc << max(e, 0), INT32_MIN), INT32_MAX)
    expected = _vrshlq(_vqrdmulhq(shifted, m), min(e, 0))
    assert _one(double_rounding_ties_up, acc, m, e) == expected


@given(accumulators, mantissas, exponents)
def test_ruys_avx2_kernel_rounds_once(acc: int, m: int, e: int) -> None:
    """kernel_avx2_fma.cc today: 2**30 is shifted left before the one shift by 31 + right."""
    left, right = max(e, 0), max(-e, 0)
    unsigned = (acc << left) * m + (1 << 30 << right)
    assert _one(single_rounding, acc, m, e) == unsigned >> (31 + right)


@pytest.mark.parametrize(
    ("acc", "single", "double"),
    [
        (1, 1, 1),  # +0.5: both up
        (-1, 0, -1),  # -0.5: half up against half away from zero
        (3, 2, 2),
        (-3, -1, -2),
    ],
)
def test_ties_tell_the_rules_apart(acc: int, single: int, double: int) -> None:
    """acc / 2 with m = 2**30, e = 0 rounds in one step; e = -1 with a later tie in two."""
    assert _one(single_rounding, acc, 2**30, 0) == single
    # M = 1/4 on 2 * acc: the first step is exact in `double`, the tie is left to the shift.
    assert _one(double_rounding, 2 * acc, 2**30, -1) == double


def test_ties_up_against_ties_away() -> None:
    """M = 1/4: negative ties, of the exact value and of -0.75, which the first step makes -0.5."""
    acc = [2, -2, 6, -6, 3, -3]
    assert [_one(double_rounding_ties_up, a, 2**30, -1) for a in acc] == [1, 0, 2, -1, 1, 0]
    assert [_one(double_rounding, a, 2**30, -1) for a in acc] == [1, -1, 2, -2, 1, -1]
    assert _one(double_rounding_ties_up, 1, 2**31 - 1, -1) == 1  # 0.4999... becomes 0.5


def test_double_rounding_rounds_twice() -> None:
    """0.4999... becomes 0.5 at 32 bits and then 1: the reason for the rule's name."""
    acc, m, e = 2**29 - 1, 2**31 - 1, -29
    assert _one(single_rounding, acc, m, e) == 1
    acc, m, e = 1, 2**31 - 1, -1  # exact value just below 1/2
    assert _one(single_rounding, acc, m, e) == 0
    assert _one(double_rounding, acc, m, e) == 1


scales = st.floats(1e-6, 1e4, allow_nan=False)


@given(scales, st.lists(scales, min_size=1, max_size=4), scales)
def test_constants_represent_the_multiplier(s_x: float, s_w: list[float], s_y: float) -> None:
    """The mantissa and exponent are within half a unit of 2**-31 relative, and normalised."""
    real = np.array(s_x) * np.array(s_w) / np.array(s_y)
    if real.max() >= 2.0**30:
        with pytest.raises(RangeError, match="below 2\\*\\*30"):
            single_rounding.constants(s_x, s_w, s_y)
        return
    constants = single_rounding.constants(s_x, s_w, s_y)
    m, e = constants.multiplier.astype(np.float64), constants.exponent.astype(np.float64)
    if (constants.multiplier == 0).any():
        assert (real[constants.multiplier == 0] < 2.0**-32).all()
        return
    assert ((m >= 2**30) & (m < 2**31)).all()
    np.testing.assert_array_less(np.abs(m * 2.0 ** (e - 31) - real), real * 2.0**-31 + 1e-300)


def test_a_mantissa_that_rounds_to_two_to_31_is_carried() -> None:
    """1 - 2**-33 rounds to m = 2**31, which is stored as 2**30 with the exponent one higher."""
    constants = single_rounding.constants(1.0 - 2.0**-33, 1.0, 1.0)
    assert (constants.multiplier[0], constants.exponent[0]) == (2**30, 1)


def test_a_vanishing_multiplier_is_zero() -> None:
    """Below 2**-32 every int32 accumulator rounds to 0, and so do the constants."""
    constants = single_rounding.constants(2.0**-40, 1.0, 1.0)
    assert (constants.multiplier[0], constants.exponent[0]) == (0, 0)
    assert _one(single_rounding, INT32_MIN, 0, 0) == 0


@pytest.mark.parametrize("rule", RULES.values())
@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, np.nan])
def test_bad_scales_are_typed_errors(rule, bad: float) -> None:
    """A scale that is zero, negative or not finite is refused wherever it stands."""
    for scales in [(bad, 1.0, 1.0), (1.0, [1.0, bad], 1.0), (1.0, 1.0, bad)]:
        with pytest.raises((RangeError, NotFiniteError)):
            rule.constants(*scales)
    with pytest.raises(ShapeError):
        rule.constants(1.0, np.ones((2, 2)), 1.0)


@pytest.mark.parametrize(("m", "e"), [(1, 0), (2**30 - 1, 0), (2**30, 31), (2**30, -32)])
def test_constants_outside_the_definition_are_refused(m: int, e: int) -> None:
    """A mantissa that is not normalised, or an exponent that would shift too far."""
    with pytest.raises(RangeError):
        single_rounding.check(_constants(m, e))


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_rules_agree_within_one(seed: int) -> None:
    """Whatever the rule, results differ by at most one in the range that int8 keeps."""
    rng = np.random.default_rng(seed)
    acc = rng.integers(-(2**20), 2**20, 1000)
    scale = float(rng.uniform(1e-6, 1e-3))
    results = [rule.apply(acc, rule.constants(scale, 1.0, 1.0)) for rule in RULES.values()]
    exact = acc * scale
    for result in results:
        assert np.abs(result - exact).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("rule", [single_rounding, double_rounding])
def test_a_multiplier_beyond_float64_is_not_zero(rule) -> None:
    """Infinity has no mantissa; it must not become the multiplier 0."""
    with pytest.raises(NotFiniteError, match="output scale"):
        rule.constants(1e200, [1.0, 1e200], 1.0)
