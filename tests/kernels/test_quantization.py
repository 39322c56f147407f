"""Quantize, dequantize and every rounding rule in C equal the specification."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.integer import THOROUGHLY, WIDTHS, codes, generators, requants, zero_points
from strategies.rules import held

from kdq_ref import intref, kernels
from kdq_ref.errors import DTypeError, NotFiniteError, RangeError, ShapeError
from kdq_ref.rounding import RULES, Constants, Requant

ISAS = ["ref", *kernels.available_isas()]
pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


@pytest.mark.parametrize("isa", ISAS)
@THOROUGHLY
@given(st.sampled_from(WIDTHS), st.integers(0, 5), generators(), st.data())
def test_requantize_equals_the_rule(
    isa: str, channels: int, rows: int, rng: np.random.Generator, data: st.DataObject
) -> None:
    """Random accumulators of every size and the ends of int32, with any constants."""
    requant = data.draw(requants(channels))
    bits = rng.integers(1, 33, (rows, channels))
    acc = rng.integers(INT32_MIN, INT32_MAX + 1, (rows, channels)) >> (32 - bits)
    acc[: rows // 4] = rng.choice([INT32_MIN, INT32_MAX, 0, -1, 1], (rows // 4, channels))
    acc = acc.astype(np.int32)
    np.testing.assert_array_equal(kernels.requantize(acc, requant, isa=isa), requant.apply(acc))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", sorted(RULES))
@pytest.mark.parametrize("exponent", [-31, -30, -17, -9, -2, -1, 0, 1, 7, 30])
@pytest.mark.parametrize("mantissa", [2**30, 2**30 + 1, 3 * 2**29, 2**31 - 1])
def test_requantize_at_ties(isa: str, name: str, exponent: int, mantissa: int) -> None:
    """Accumulators around every tie whose result is inside int8, and one step to either side."""
    rule = RULES[name]
    constants = held(rule, np.array([mantissa]), np.array([exponent]))
    real = constants.real[0]
    ties = np.rint((np.arange(-140, 140) + 0.5) / real)
    acc = (ties[:, None] + np.arange(-2, 3)).ravel()
    ends = [INT32_MIN, INT32_MIN + 1, INT32_MAX - 1, INT32_MAX]
    acc = np.concatenate([np.clip(acc, INT32_MIN, INT32_MAX), np.arange(-70, 70), ends])
    acc = acc.astype(np.int64).astype(np.int32)
    # A column, a row and a matrix: one constant for all, along each axis and with remainders.
    square = acc[: len(acc) // 37 * 37].reshape(-1, 37)
    for zero_point in (0, -128, 127):
        requant = Requant(rule, constants, zero_point)
        for shaped in (acc[:, None], acc, square):
            np.testing.assert_array_equal(
                kernels.requantize(shaped, requant, isa=isa), requant.apply(shaped)
            )


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", ["float64_half_away", "onnx_spec"])
@pytest.mark.parametrize("towards", [0.0, 1.0])
def test_a_product_next_to_a_tie_is_none(isa: str, name: str, towards: float) -> None:
    """One unit in the last place from k + 1/2: adding 1/2 would round to the next integer."""
    acc = np.arange(-255, 256, 2, dtype=np.int32)[:, None] * np.array([1, 2**7, 2**22], np.int32)
    real = np.nextafter([0.5, 2.0**-8, 2.0**-23], towards)
    zeros = np.zeros(3, np.int32)
    constants = Constants(zeros, zeros, np.zeros(3, np.float32), real)
    requant = Requant(RULES[name], constants, 0)
    expected = np.rint(acc / np.array([2, 2**8, 2**23]) * (1 + np.sign(towards - real) * 2.0**-40))
    np.testing.assert_array_equal(
        kernels.requantize(acc, requant, isa=isa), expected.clip(-128, 127)
    )


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", sorted(RULES))
@pytest.mark.parametrize("channels", [1, 8, 15, 16, 17, 32, 33])
def test_requantize_with_every_exponent_at_once(isa: str, name: str, channels: int) -> None:
    """Neighbouring channels shift left and right; one has vanished, and its scale too."""
    rule, rng = RULES[name], np.random.default_rng(channels)
    for start in range(-31, 31, 7):
        exponent = (np.arange(channels) * 11 + start + 31) % 62 - 31
        multiplier = rng.integers(2**30, 2**31, channels)
        multiplier[1::5] = exponent[1::5] = 0
        requant = Requant(rule, held(rule, multiplier, exponent), -7)
        for rows in range(1, 6):
            acc = rng.integers(INT32_MIN, INT32_MAX + 1, (rows, channels)) >> rng.integers(
                0, 32, (rows, channels)
            )
            acc[rng.random(acc.shape) < 0.2] = rng.choice([INT32_MIN, INT32_MAX])
            acc = acc.astype(np.int32)
            np.testing.assert_array_equal(
                kernels.requantize(acc, requant, isa=isa), requant.apply(acc)
            )


@pytest.mark.parametrize("isa", ISAS)
def test_a_vanished_multiplier_gives_the_zero_point(isa: str) -> None:
    """m = e = 0, which the rules use for multipliers below 2**-32, maps everything to zero."""
    zero = np.zeros(1, np.int32)
    constants = Constants(zero, zero, np.zeros(1, np.float32))
    acc = np.array([[INT32_MIN], [0], [INT32_MAX]], np.int32)
    for rule in RULES.values():
        np.testing.assert_array_equal(
            kernels.requantize(acc, Requant(rule, constants, 5), isa=isa), 5
        )


@pytest.mark.parametrize("isa", ISAS)
def test_requantize_takes_any_number_of_axes(isa: str) -> None:
    """None, one, three, and empty ones, as the specification does."""
    requant = Requant(RULES["float32_rne"], RULES["float32_rne"].constants(1, 0.5, 1), 0)
    for shape in ((), (4,), (2, 3, 4), (2, 0), (0, 3)):
        acc = np.full(shape, 5, np.int32)
        result = kernels.requantize(acc, requant, isa=isa)
        assert result.shape == shape
        np.testing.assert_array_equal(result, intref.requantize(acc, requant))


def test_requantize_checks_its_operands() -> None:
    """int64 accumulators are not silently cut, channels must fit."""
    requant = Requant(RULES["single_rounding"], RULES["single_rounding"].constants(1, [1, 2], 1), 0)
    with pytest.raises(DTypeError, match="acc"):
        kernels.requantize(np.zeros((1, 2), np.int64), requant)
    with pytest.raises(ShapeError, match="2 channels"):
        kernels.requantize(np.zeros((1, 3), np.int32), requant)


@pytest.mark.parametrize("isa", ISAS)
@THOROUGHLY
@given(
    generators(),
    st.sampled_from([0, 1, 3, 4, 5, 7, 8, 9, 31, 32, 33, 67, 100]),
    st.floats(2.0**-20, 2.0**20, width=32),
    zero_points(),
)
def test_quantize_equals_the_specification(
    isa: str, rng: np.random.Generator, n: int, scale: float, zero_point: int
) -> None:
    """Ties, values far outside the range, and the largest floats."""
    x = (rng.integers(-600, 600, n) / 2 * np.float32(scale)).astype(np.float32)
    x[::3] = np.float32(scale) * rng.standard_normal(len(x[::3]), np.float32) * 100
    x[4::16] = rng.choice([-3.4e38, 3.4e38, 1e-45, -0.0], len(x[4::16]))
    np.testing.assert_array_equal(
        kernels.quantize(x, scale=scale, zero_point=zero_point, isa=isa),
        intref.quantize(x, scale=scale, zero_point=zero_point),
    )


@pytest.mark.parametrize("isa", ISAS)
@given(
    st.sampled_from([0, 1, 7, 8, 9, 31, 32, 33, 120]),
    st.floats(2.0**-20, 2.0**20, width=32),
    zero_points(),
    st.data(),
)
def test_dequantize_equals_the_specification(
    isa: str, n: int, scale: float, zero_point: int, data: st.DataObject
) -> None:
    """The same float32, bit for bit."""
    q = data.draw(codes((n,)))
    np.testing.assert_array_equal(
        kernels.dequantize(q, scale=scale, zero_point=zero_point, isa=isa),
        intref.dequantize(q, scale=scale, zero_point=zero_point),
    )


def test_quantize_checks_its_operands() -> None:
    """NaN and infinity have no code; float64 is not silently rounded; a scale is positive."""
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(NotFiniteError, match="index \\(1,\\)"):
            kernels.quantize(np.array([0, bad], np.float32), scale=1.0, zero_point=0)
    with pytest.raises(DTypeError, match="float32"):
        kernels.quantize(np.zeros(2), scale=1.0, zero_point=0)
    with pytest.raises(RangeError, match="scale"):
        kernels.quantize(np.zeros(2, np.float32), scale=0.0, zero_point=0)
