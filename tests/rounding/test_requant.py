"""Requant: constants fit channels, results fit the clamp."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.rules import near

from kdq_ref.errors import DTypeError, InvalidArgumentError, RangeError, ShapeError
from kdq_ref.rounding import (
    RULES,
    Constants,
    Requant,
    Requant16x8,
    channels_of,
    channels_of_16x8,
    get_rule,
    reduced_16x8,
    single_rounding,
)


def _requant(channels: int = 1, **keywords) -> Requant:
    constants = single_rounding.constants(0.01, np.linspace(0.5, 1.5, channels), 1.0)
    return Requant(single_rounding, constants, **{"zero_point": 0, **keywords})


@given(
    st.sampled_from(sorted(RULES)),
    st.integers(-128, 127),
    st.integers(-128, 127),
    st.integers(-128, 127),
    st.integers(0, 2**32 - 1),
)
def test_result_is_the_rule_then_zero_point_then_clamp(
    name: str, zero_point: int, a: int, b: int, seed: int
) -> None:
    """int8 out, inside [qmin, qmax], and equal to the three steps done one by one."""
    rule = RULES[name]
    rng = np.random.default_rng(seed)
    constants = near(rule, rng.uniform(0.01, 2, 3), rng)
    requant = Requant(rule, constants, zero_point, min(a, b), max(a, b))
    acc = rng.integers(-(2**31), 2**31, (4, 3))
    acc[0] = [-(2**31), 0, 2**31 - 1]
    result = requant.apply(acc)
    assert result.dtype == np.int8
    for c in range(3):
        one = Constants(*(v[c : c + 1] for v in vars(constants).values()))
        wanted = rule.apply(acc[:, c : c + 1], one)[:, 0] + zero_point
        np.testing.assert_array_equal(
            result[:, c], np.minimum(np.maximum(wanted, min(a, b)), max(a, b))
        )


def test_one_set_of_constants_serves_any_shape() -> None:
    """With one channel, the last axis may be anything, also empty."""
    assert _requant(1).apply(np.zeros((2, 5), np.int32)).shape == (2, 5)
    assert _requant(1).apply(np.zeros((0, 3), np.int32)).shape == (0, 3)


def test_channels_must_fit_the_last_axis() -> None:
    """Three sets of constants do not broadcast over two channels."""
    with pytest.raises(ShapeError, match="3 channels do not fit"):
        _requant(3).apply(np.zeros((5, 2), np.int32))


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        ({"zero_point": 128}, RangeError),
        ({"zero_point": 0.5}, DTypeError),
        ({"qmin": -129}, RangeError),
        ({"qmin": 1, "qmax": 0}, RangeError),
    ],
)
def test_impossible_parameters_are_typed_errors(keywords: dict, error: type) -> None:
    """Zero points and clamps stay inside int8 and in order."""
    with pytest.raises(error):
        _requant(1, **keywords)


def test_no_channels_is_an_error() -> None:
    """Constants for nothing cannot requantize anything."""
    empty = Constants(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))
    with pytest.raises(ShapeError):
        Requant(single_rounding, empty, 0)


def test_rules_are_found_by_name_and_are_singletons() -> None:
    """get_rule names the known ones; a copied rule is the same object."""
    assert get_rule("single_rounding") is single_rounding is get_rule(single_rounding)
    assert copy.deepcopy(single_rounding) is single_rounding
    with pytest.raises(InvalidArgumentError, match="single_rounding, double_rounding, float32_rne"):
        get_rule("nearest")
    assert sorted(rule.c_id for rule in RULES.values()) == list(range(len(RULES)))


@pytest.mark.parametrize("name", RULES)
def test_a_pickled_rule_is_the_same_object(name: str) -> None:
    """So that a network can travel to a worker process."""
    assert pickle.loads(pickle.dumps(RULES[name])) is RULES[name]


def test_numpy_integers_become_pythons() -> None:
    """np.int8 wraps around in sums."""
    requant = _requant(1, zero_point=np.int8(1), qmin=np.int8(-128), qmax=np.int8(127))
    assert [type(v) for v in (requant.zero_point, requant.qmin, requant.qmax)] == [int] * 3


@pytest.mark.parametrize("other", [None, 3, Requant16x8(reduced_16x8.constants(1.0, 0.5, 1.0))])
def test_other_constants_are_told_apart(other: Any) -> None:
    """16x8 constants have the same fields and another meaning."""
    with pytest.raises(DTypeError, match=r"rounding\.Requant, got"):
        channels_of(other)
    with pytest.raises(DTypeError, match=r"rounding\.Requant16x8, got"):
        channels_of_16x8(_requant(1) if isinstance(other, Requant16x8) else other)


def test_rules_of_16x8_are_refused() -> None:
    """Their numbers in C count apart."""
    constants = reduced_16x8.constants(1.0, 0.5, 1.0)
    with pytest.raises(InvalidArgumentError, match="int32 accumulators"):
        Requant(reduced_16x8, constants, 0)
    assert pickle.loads(pickle.dumps(reduced_16x8)) is reduced_16x8
