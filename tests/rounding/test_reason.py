"""Every difference has a reason, and the steps told are those that were taken."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.rules import held

from kdq_ref.errors import ShapeError
from kdq_ref.rounding import (
    RULES,
    RULES_16X8,
    Constants,
    Requant,
    Requant16x8,
    fbgemm,
    single_rounding,
)
from kdq_ref.rounding.difference import compare_all
from kdq_ref.rounding.reason import decimal, derive, reasons


def _requant(name: str, real: float) -> Requant:
    return Requant(RULES[name], RULES[name].constants(1.0, real, 1.0), 0)


def _round(value: Fraction, ties: str) -> int:
    """One rounding, in exact arithmetic."""
    below, half = value.__floor__(), Fraction(1, 2)
    if value - below != half:
        return (value + half).__floor__()
    return {
        "up": below + 1,
        "away from zero": below + (value > 0),
        "to even": below + below % 2,
    }[ties]


@given(
    st.sampled_from(sorted(RULES)),
    st.integers(2**30, 2**31 - 1) | st.just(2**30),
    st.integers(-31, -1),
    st.integers(-(2**31), 2**31 - 1) | st.integers(-300, 300),
)
def test_the_last_step_makes_the_result(name: str, m: int, e: int, acc: int) -> None:
    """Rounding ``value`` as ``ties`` says is what the rule gives; without losses it is acc * M."""
    requant = Requant(RULES[name], held(RULES[name], np.array([m]), np.array([e])), 3)
    steps = derive(requant, acc)
    assert steps.result == _round(steps.value, steps.ties)
    assert steps.code == np.clip(steps.result + 3, -128, 127)
    assert steps.product == acc * steps.multiplier
    assert (steps.value == steps.product) or steps.losses
    assert steps.is_tie == (steps.value % 1 == Fraction(1, 2))


@given(
    st.sampled_from(sorted(RULES_16X8)),
    st.integers(2**30, 2**31 - 1) | st.just(2**30),
    st.integers(-31, -1),
    st.integers(-(2**31), 2**31 - 1) | st.integers(-300, 300),
)
def test_the_last_step_makes_the_result_of_16x8(name: str, m: int, e: int, acc: int) -> None:
    """The reduced multiplier is that of the rule, and counted as one that was held."""
    rule = RULES_16X8[name]
    steps = derive(Requant16x8(held(rule, np.array([m]), np.array([e])), rule=rule), acc)
    assert steps.result == _round(steps.value, steps.ties)
    assert steps.code == np.clip(steps.result, -(2**15), 2**15 - 1)
    assert steps.product == acc * steps.multiplier
    assert (steps.value == steps.product) or steps.losses


@pytest.mark.parametrize("real", [0.25, 1 / 3, 0.7, 0.00138, 1.37 * 2.0**-20, 2.0**-24])
def test_every_difference_of_16x8_has_a_reason(real: float) -> None:
    """At the smallest accumulator that shows it."""
    requants = [
        Requant16x8(rule.constants(1.0, real, 1.0), rule=rule) for rule in RULES_16X8.values()
    ]
    for found, (a, b) in zip(compare_all(requants), combinations(requants, 2), strict=True):
        if found.smallest is not None:
            assert reasons(a, b, found.smallest)


@pytest.mark.parametrize("real", [0.25, 1 / 3, 0.7, 0.00138, 1.37 * 2.0**-20, 2.0**-24])
def test_every_difference_has_a_reason(real: float) -> None:
    """For every pair, at the smallest accumulator that shows it; and none where there is none."""
    requants = [_requant(name, real) for name in RULES]
    for found, (a, b) in zip(compare_all(requants), combinations(requants, 2), strict=True):
        if found.smallest is not None:
            assert reasons(a, b, found.smallest)
            assert derive(a, found.smallest).code == found.codes[0]
        assert reasons(a, b, 0) == ()


@pytest.mark.parametrize(
    ("a", "b", "real", "acc", "expected"),
    [
        (
            "single_rounding",
            "float32_rne",
            0.25,
            2,
            ["ties: 0.5 goes up under single_rounding, to even under float32_rne"],
        ),
        (
            "single_rounding",
            "double_rounding_ties_up",
            0.25,
            -3,
            [
                "double_rounding_ties_up: -0.75, rounded to 32 bits first, -0.5",
                "double_rounding_ties_up: -0.5 is a tie and goes up",
            ],
        ),
        (
            "float32_rne",
            "onnx_spec",
            2.0**-24,
            25165823,
            [
                "float32_rne: 1.5 - 5.96e-08, float32 makes 25165823 25165824",
                "float32_rne: 1.5 is a tie and goes to even",
            ],
        ),
        ("fbgemm", "onnx_spec", 2.0, 2**31 - 1, ["fbgemm: 4294967294, float32 makes"]),
    ],
)
def test_reasons_in_words(a: str, b: str, real: float, acc: int, expected: list[str]) -> None:
    """Ties, two roundings, float32 above 2**24, overflow."""
    said = reasons(_requant(a, real), _requant(b, real), acc)
    for line, wanted in zip(said, expected, strict=False):
        assert line.startswith(wanted)
    assert len(said) >= len(expected)
    if real == 2.0:
        assert said[1] == "fbgemm: 4294967294, which does not fit int32 and becomes -2147483648"


def test_another_multiplier_is_named() -> None:
    """What either rule holds, and how far apart that is."""
    scales = (0.1, 0.003, 0.7)
    a, b = (Requant(RULES[n], RULES[n].constants(*scales), 0) for n in ("rndnu", "single_rounding"))
    (said,) = reasons(a, b, 3500)
    assert said.startswith("the multiplier: rndnu holds 0.000428571453")
    assert "relative difference 5.7e-08" in said


def test_losses_of_float32_are_told_one_by_one() -> None:
    """The conversion, the sum with a bias, the product, an overflow."""
    zeros = np.zeros(1, np.int32)
    constants = Constants(
        zeros, zeros, np.array([0.3], np.float32), bias=np.array([0.1], np.float32)
    )
    steps = derive(Requant(fbgemm, constants, 0), 2**24 + 1)
    assert steps.losses == (
        "float32 makes 16777217 16777216",
        "float32 makes the sum with the bias 16777216",
    )
    tenth = Constants(zeros, zeros, np.array([0.1], np.float32))
    steps = derive(Requant(RULES["float32_rne"], tenth, 0), 45)
    assert steps.losses == ("float32 rounds the product to 4.5",)
    huge = Constants(zeros, zeros, np.array([3e38], np.float32))
    steps = derive(Requant(RULES["float32_rne"], huge, 0), 2**20)
    assert "float32 makes the product infinite" in steps.losses
    assert str(derive(_requant("onnx_spec", 0.5), 3)) == (
        "onnx_spec: 3 * M = 1.5; a tie, to even: 2"
    )


def test_numbers_next_to_a_tie_can_be_told_from_it() -> None:
    """A tie is exact; what is near says on which side."""
    assert decimal(Fraction(5, 2)) == "2.5"
    assert decimal(Fraction(5, 2) - Fraction(1, 2**40)) == "2.5 - 9.09e-13"
    assert decimal(Fraction(1, 3)) == "0.3333333333"


def test_more_channels_than_one_are_refused() -> None:
    """Which one should be explained?"""
    two = Requant(single_rounding, single_rounding.constants(1.0, [0.5, 0.25], 1.0), 0)
    with pytest.raises(ShapeError, match="one channel"):
        derive(two, 1)
