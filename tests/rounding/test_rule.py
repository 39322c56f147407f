"""Constants check their own dtypes and lengths."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref.errors import DTypeError, ShapeError
from kdq_ref.rounding import RULES, RULES_16X8, Constants, single_rounding


def test_constants_of_different_lengths_are_refused() -> None:
    """All arrays describe the same channels."""
    with pytest.raises(ShapeError, match="exponent"):
        Constants(np.zeros(2, np.int32), np.zeros(3, np.int32), np.zeros(2, np.float32))


def test_constants_of_a_wrong_dtype_are_refused() -> None:
    """An int64 multiplier is not silently narrowed."""
    with pytest.raises(DTypeError, match="multiplier must have dtype int32"):
        Constants(np.zeros(2, np.int64), np.zeros(2, np.int32), np.zeros(2, np.float32))


def test_rule_says_its_name() -> None:
    """The name is what a reader sees in a report."""
    assert repr(single_rounding) == "<rounding rule single_rounding>"


def test_constants_left_out_are_zero() -> None:
    """A rule that does not read them does not ask for them; those given must fit."""
    arguments = np.zeros(2, np.int32), np.zeros(2, np.int32), np.zeros(2, np.float32)
    constants = Constants(*arguments)
    assert (constants.real.dtype, constants.real.tolist()) == (np.float64, [0, 0])
    assert (constants.bias.dtype, constants.bias.tolist()) == (np.float32, [0, 0])
    with pytest.raises(ShapeError, match="real"):
        Constants(*arguments, real=np.zeros(3))
    with pytest.raises(DTypeError, match="bias"):
        Constants(*arguments, bias=np.zeros(2))


@pytest.mark.parametrize("rule", [*RULES.values(), *RULES_16X8.values()])
def test_a_rule_reads_what_it_says(rule) -> None:
    """Constants that it does not use are zero; its formula and source are there to read."""
    constants = rule.constants(0.5, [0.25, 0.76], 1.0)
    for name, value in vars(constants).items():
        assert value.any() == (name in rule.uses and name != "bias")
    assert rule.formula
    assert len(rule.source) > 20
    assert 0 <= rule.limits[0] < rule.limits[1]
