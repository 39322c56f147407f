"""Softmax in integers: its table, its definition in exact fractions, its error bound."""

from __future__ import annotations

import decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.integer import codes, softmax_scales, softmax_tables, tied_softmax

from kdq_ref import intref, operands
from kdq_ref.errors import DTypeError, RangeError, ShapeError
from kdq_ref.intref.softmax import _rounded_exponential

ONE = operands.SOFTMAX_ONE
UNIT = 1 << 200
TINY, HUGE = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
lengths = st.sampled_from([1, 2, 3, 10, 256, 300]) | st.integers(1, 300)


def _exponential(x: Fraction) -> tuple[int, int]:
    """Integers around ``UNIT * exp(x)``, 0 <= x <= 22: the series, rounded down and up."""
    low = high = low_term = high_term = UNIT
    for k in range(1, 161):
        low_term = low_term * x.numerator // (x.denominator * k)
        high_term = -(-high_term * x.numerator // (x.denominator * k))
        low, high = low + low_term, high + high_term
    return low, high + high_term  # all further terms together are less than the last


@given(softmax_scales(), st.integers(0, 255))
def test_every_entry_is_the_nearest_integer(scale: float, d: int) -> None:
    """``t - 1/2 <= 2**30 / exp(d * scale) <= t + 1/2``, in integers that bound the exponential."""
    table = intref.softmax_table(scale)
    assert table.dtype == np.int32
    assert table[0] == ONE
    assert (np.diff(table) <= 0).all()
    x, t = d * Fraction(scale), int(table[d])
    low, high = _exponential(min(x, Fraction(22)))
    assert (2 * t + 1) * low >= 2 * ONE * UNIT
    assert x > 22 or (2 * t - 1) * high <= 2 * ONE * UNIT
    assert x <= 22 or t == 0


@given(softmax_scales(), st.integers(1, 30), st.integers(1, 255))
def test_digits_are_added_until_they_decide(scale: float, digits: int, d: int) -> None:
    """Starting with one digit gives what starting with many gives."""
    distance = decimal.Context(2000).multiply(decimal.Decimal(scale), decimal.Decimal(d))
    if distance <= 22:
        assert _rounded_exponential(distance, digits) == intref.softmax_table(scale)[d]


def test_the_process_s_decimal_context_does_not_matter() -> None:
    """Three digits and rounding up, set by somebody else."""
    expected = intref.softmax_table(0.1)
    with decimal.localcontext(decimal.Context(prec=3, rounding=decimal.ROUND_UP, Emax=5, Emin=-5)):
        np.testing.assert_array_equal(intref.softmax_table(0.1), expected)


def test_known_entries() -> None:
    """Powers of exp(-1), from tables: 0.36787944117144232, 0.13533528323661269."""
    table = intref.softmax_table(1.0)
    assert table[:3].tolist() == [2**30, 395007542, 145315154]
    assert table[21] == 1  # 2**30 * exp(-21) = 0.814
    assert not table[22:].any()
    assert (intref.softmax_table(TINY) == ONE).all()
    assert not intref.softmax_table(HUGE)[1:].any()


def _probability(terms: list[int], i: int) -> int:
    """The nearest integer to 256 times the share, halves up, in fractions."""
    return min(int((256 * Fraction(terms[i], sum(terms)) + Fraction(1, 2)) // 1), 255)


@given(lengths, softmax_tables(), st.data())
def test_each_probability_is_the_nearest_code(
    n: int, table: np.ndarray, data: st.DataObject
) -> None:
    """Halves up, at most 255; and never a smaller one for a larger code."""
    q = data.draw(codes((2, n)))
    y = intref.softmax(q, table)
    assert y.dtype == np.int8
    for row, result in zip(q, y.astype(int) + 128, strict=True):
        terms = [int(table[int(row.max()) - int(code)]) for code in row]
        i = data.draw(st.integers(0, n - 1))
        assert result[i] == _probability(terms, i)
        order = np.argsort(row, kind="stable")
        assert (np.diff(result[order]) >= 0).all()
        assert abs(result.sum() - 256) <= max(1, n / 2)


@given(lengths, softmax_scales(), st.data())
def test_the_error_against_the_real_softmax_is_bounded(
    n: int, scale: float, data: st.DataObject
) -> None:
    """``|y + 128 - min(256 p, 255)| <= 1/2 + n / 2**23``, and what float64 itself is wrong by."""
    q = data.draw(codes((n,)))
    e = np.exp((q.astype(np.float64) - q.max()) * scale)
    error = np.abs(
        intref.softmax(q, intref.softmax_table(scale)) + 128.0 - np.minimum(256 * e / e.sum(), 255)
    )
    assert error.max() <= 0.5 + n * 2.0**-23 + 1e-9


@pytest.mark.parametrize("scale", [2.0**-9, 0.003, 0.02, 0.1])
def test_the_error_bound_holds_for_the_longest_row(scale: float) -> None:
    """``2**16`` classes: one far above, so that shares of the others are all rounding."""
    q = np.repeat(np.arange(-128, 128).astype(np.int8), 256)
    for row in (q, np.where(np.arange(2**16) < 255, q, np.int8(-128))):
        e = np.exp((row.astype(np.float64) - row.max()) * scale)
        y = intref.softmax(row, intref.softmax_table(scale)) + 128.0
        assert np.abs(y - np.minimum(256 * e / e.sum(), 255)).max() <= 0.5 + 2.0**-7 + 1e-9


@given(lengths, softmax_tables(), st.integers(-128, 127))
def test_equal_codes_share_equally(n: int, table: np.ndarray, code: int) -> None:
    """The zero point cancels: only distances count. One class has probability 255/256."""
    y = intref.softmax(np.full((3, n), code, np.int8), table)
    assert (y == min(int(Fraction(256, n) + Fraction(1, 2)), 255) - 128).all()


@pytest.mark.parametrize(("n", "m"), [(2, 1), (3, 1), (6, 1), (7, 31), (85, 3), (255, 1)])
def test_halves_are_rounded_up(n: int, m: int) -> None:
    """256 times the last probability is ``m / 2`` exactly."""
    row, table = tied_softmax(n, m)
    assert intref.softmax(row, table)[-1] == (m + 1) // 2 - 128


def test_any_number_of_axes_and_no_rows() -> None:
    """The last axis is the classes; the others are rows, of which there may be none."""
    q = np.arange(24).astype(np.int8).reshape(2, 3, 4)
    table = intref.softmax_table(0.5)
    y = intref.softmax(q, table)
    np.testing.assert_array_equal(y[1, 2], intref.softmax(q[1, 2], table))
    assert intref.softmax(q[:0], table).shape == (0, 3, 4)
    np.testing.assert_array_equal(
        intref.softmax(q.T, table)[0, 0], intref.softmax(q[:, 0, 0], table)
    )


def test_the_longest_row_is_the_longest() -> None:
    """One class more is refused, and so is none, or no axis."""
    table = intref.softmax_table(1.0)
    longest = np.zeros((1, operands.MAX_CLASSES), np.int8)
    assert (intref.softmax(longest, table) == -128).all()
    for bad in (np.zeros((1, operands.MAX_CLASSES + 1), np.int8), longest[:, :0], longest[0, 0]):
        with pytest.raises(ShapeError, match="1 to 65536 classes"):
            intref.softmax(bad, table)


def test_bad_operands_are_typed_errors() -> None:
    """Scales, dtypes, and tables that no scale has."""
    q, table = np.zeros((2, 3), np.int8), intref.softmax_table(0.1)
    for scale in (0.0, -1.0, np.nan, np.inf, 1e39, TINY / 2):
        with pytest.raises(RangeError, match="scale"):
            intref.softmax_table(scale)
    with pytest.raises(DTypeError, match="scale"):
        intref.softmax_table("0.1")
    with pytest.raises(DTypeError, match="q must"):
        intref.softmax(q.astype(np.int16), table)
    with pytest.raises(DTypeError, match="table"):
        intref.softmax(q, table.astype(np.int64))
    with pytest.raises(ShapeError, match="table"):
        intref.softmax(q, table[:255])
    for at, value in ((0, ONE - 1), (7, ONE), (255, -1)):
        wrong = table.copy()
        wrong[at] = value
        with pytest.raises(RangeError, match="softmax_table"):
            intref.softmax(q, wrong)
