"""Differences are those that trying accumulators one by one finds."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.rules import held

from kdq_ref.errors import InvalidArgumentError, ShapeError
from kdq_ref.rounding import (
    RULES,
    RULES_16X8,
    Constants,
    Requant,
    Requant16x8,
    double_rounding,
    fbgemm,
    float32_rne,
    single_rounding,
)
from kdq_ref.rounding.difference import compare, compare_all, constant_intervals

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


@st.composite
def requants(draw: st.DrawFn, smallest: int = -31) -> list[Requant]:
    """Every rule at one multiplier; powers of two, extremes and anything between."""
    m = draw(st.sampled_from([2**30, 2**31 - 1, 3 * 2**29]) | st.integers(2**30, 2**31 - 1))
    e = draw(st.integers(smallest, 30))
    zero_point = draw(st.sampled_from([-128, 0, 127]) | st.integers(-128, 127))
    low, high = sorted((draw(st.integers(-128, 127)), draw(st.integers(-128, 127))))
    if draw(st.booleans()):
        low, high = -128, 127
    found = []
    for rule in RULES.values():
        constants = held(rule, np.array([m]), np.array([e]))
        if rule is fbgemm:
            bias = np.array([draw(st.integers(-1000, 1000))], np.float32)
            constants = Constants(**{**vars(constants), "bias": bias})
        found.append(Requant(rule, constants, zero_point, low, high))
    return found


@given(requants())
def test_intervals_cover_int32_once_and_are_constant(drawn: list[Requant]) -> None:
    """Their lengths add up, none overlaps, and any accumulator inside has their code."""
    starts, lengths, codes = constant_intervals(drawn)
    order = np.argsort(starts)
    assert starts[order][0] == INT32_MIN
    np.testing.assert_array_equal((starts + lengths)[order][:-1], starts[order][1:])
    assert lengths.sum() == 2**32
    rng = np.random.default_rng(0)
    inside = starts + rng.integers(0, lengths)
    for requant, constant in zip(drawn, codes, strict=True):
        np.testing.assert_array_equal(requant.apply(inside), constant)


@given(requants(smallest=-8))
def test_differences_are_those_of_every_accumulator(drawn: list[Requant]) -> None:
    """Counted one by one where results are not saturated, for every pair."""
    # With M = 2**-9 and a zero point of -128 that is up to 255.5 * 2**9 = 130,816.
    acc = np.arange(-(2**17), 2**17)
    acc = acc[np.lexsort((acc < 0, np.abs(acc)))]
    codes = [requant.apply(acc).astype(int) for requant in drawn]
    found = compare_all(drawn)
    for difference, (a, b) in zip(found, combinations(range(len(drawn)), 2), strict=True):
        assert difference.rules == (drawn[a].rule.name, drawn[b].rule.name)
        where = np.flatnonzero(codes[a] != codes[b])
        if fbgemm.name in difference.rules:  # overflows far outside
            assert difference.count >= len(where)
        else:
            assert difference.count == len(where)
        if len(where):
            first = where[0]
            assert difference.smallest == acc[first]
            assert difference.codes == (codes[a][first], codes[b][first])
            assert difference.largest >= np.abs(codes[a] - codes[b]).max()


@given(st.integers(2**30, 2**31 - 1) | st.just(2**30), st.integers(-16, 6))
def test_differences_of_16x8_are_those_of_every_accumulator(m: int, e: int) -> None:
    """Counted one by one around zero; beyond, the intervals cover int32 and have one code each."""
    constants = held(single_rounding, np.array([m]), np.array([e]))
    drawn = [Requant16x8(constants, rule=rule) for rule in RULES_16X8.values()]
    starts, lengths, intervals = constant_intervals(drawn)
    assert lengths.sum() == 2**32
    inside = starts + np.random.default_rng(m).integers(0, lengths)
    acc = np.arange(-(2**17), 2**17)
    acc = acc[np.lexsort((acc < 0, np.abs(acc)))]
    codes = [requant.apply(acc).astype(int) for requant in drawn]
    found = compare_all(drawn)
    for difference, (a, b) in zip(found, combinations(range(3), 2), strict=True):
        where = np.flatnonzero(codes[a] != codes[b])
        assert difference.count >= len(where)
        if len(where):
            assert difference.smallest == acc[where[0]]
            assert difference.codes == (codes[a][where[0]], codes[b][where[0]])
        elif difference.smallest is not None:
            assert not -(2**17) <= difference.smallest < 2**17
    for requant, constant in zip(drawn, intervals, strict=True):
        np.testing.assert_array_equal(requant.apply(inside), constant)


def test_int8_is_not_compared_with_int16() -> None:
    """Different codes by nature."""
    constants = single_rounding.constants(1, 0.5, 1)
    with pytest.raises(InvalidArgumentError, match="cannot be compared"):
        compare(Requant(single_rounding, constants, 0), Requant16x8(constants))


def test_it_is_monotone_on_which_this_rests() -> None:
    """A larger accumulator never gets a smaller result, at ties, ends and anywhere."""
    rng = np.random.default_rng(0)
    for e in range(-31, 31):
        acc = rng.integers(INT32_MIN, INT32_MAX, 2000) >> rng.integers(0, 32, 2000)
        acc = np.sort(np.concatenate([acc, acc + 1, [INT32_MIN, -1, 0, 1, INT32_MAX]]))
        for rule in (*RULES.values(), *RULES_16X8.values()):
            constants = held(rule, rng.integers(2**30, 2**31, 1), np.array([e]))
            results = rule.apply(acc, constants)
            if rule is fbgemm and constants.scale[0] >= 1:
                results = results[: np.flatnonzero(acc < 2**31 / constants.real[0])[-1]]
            assert (np.diff(results) >= 0).all(), (rule, e)


def test_known_differences() -> None:
    """Ties at M = 1/4, and 2**24 + 1, which is no float32."""
    a, b = (Requant(r, r.constants(1.0, 0.25, 1.0), 0) for r in (single_rounding, double_rounding))
    found = compare(a, b)
    assert (found.rules, found.smallest) == (("single_rounding", "double_rounding"), 1)
    assert (found.codes, found.largest, found.largest_at) == ((0, 1), 1, 1)
    # One of four positive accumulators rounds twice, and ties below zero go elsewhere: 128 + 127.
    assert found.count == 255
    assert compare(a, a) == compare(b, b).__class__(
        ("single_rounding", "single_rounding"), 0, None, None, 0, None
    )


def test_the_overflow_of_fbgemm_is_counted() -> None:
    """M = 2: from 2**30 on, float32 products reach 2**31, and the code is the lowest."""
    a, b = (Requant(r, r.constants(1.0, 2.0, 1.0), 0) for r in (float32_rne, fbgemm))
    found = compare(a, b)
    # The last float32 below 2**30 is 2**30 - 64; what lies above its middle goes to 2**30.
    assert found.smallest == 2**30 - 32
    assert found.count == 2**31 - found.smallest
    assert (found.codes, found.largest) == ((127, -128), 255)
    low = Requant(fbgemm, b.constants, 0, -128, -128)
    assert compare(low, low).count == 0


def test_what_cannot_be_compared() -> None:
    """One alone; more channels than one."""
    one = Requant(single_rounding, single_rounding.constants(1.0, 0.5, 1.0), 0)
    two = Requant(single_rounding, single_rounding.constants(1.0, [0.5, 0.25], 1.0), 0)
    with pytest.raises(InvalidArgumentError, match="two"):
        compare_all([one])
    with pytest.raises(ShapeError, match="one channel"):
        compare(one, two)
