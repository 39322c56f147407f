"""Values: codes of every kind, multipliers inside the limits, accumulators next to ties."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.values import (
    RandomChooser,
    codes,
    in_limits,
    multipliers,
    near_ties,
    scaling,
    weight_low,
    zero_points,
)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [("low", {-128}), ("high", {127}), ("ends", {-128, 127}), ("small", {-2, -1, 0, 1, 2})],
)
def test_codes_are_of_the_kind_asked_for(kind: str, wanted: set[int]) -> None:
    """A hundred of each."""
    drawn = codes(np.random.default_rng([0]), (100,), np.int8, kind)
    assert drawn.dtype == np.int8
    assert set(drawn.tolist()) == wanted


def test_weights_of_layers_are_symmetric() -> None:
    """-128 only in products."""
    rng = np.random.default_rng([0])
    low = weight_low(get_abi("gemm_s8s8s8"))
    assert codes(rng, (5000,), np.int8, "any", low).min() == -127
    assert codes(rng, (5000,), np.int8, "any", weight_low(get_abi("gemm_s8s8s32"))).min() == -128


@pytest.mark.parametrize("name", RULES)
def test_multipliers_are_inside_the_limits_of_the_rule(name: str) -> None:
    """Every rule takes all of them, and those of any scaling."""
    rule = RULES[name]
    rng = np.random.default_rng([2])
    real = multipliers(rule, rng, 300)
    assert len(real) == 300
    rule.constants(1.0, real, 1.0)
    rule.constants(1.0, in_limits(rule, np.array([1e-300, 1e300])), 1.0)
    for magnitude in (0.0, 1e3, 1e9):
        drawn = scaling(RandomChooser(rng), get_abi("conv2d_s8"), rule, 4, magnitude)
        rule.constants(1.0, drawn.real, 1.0)
        assert -128 <= drawn.qmin <= drawn.qmax <= 127


def test_multipliers_have_every_exponent_and_none() -> None:
    """From -31 to 30, with mantissas that are no powers of two; and 0."""
    rule = RULES["single_rounding"]
    constants = rule.constants(1.0, multipliers(rule, np.random.default_rng(0), 256), 1.0)
    assert set(range(-31, 30)) <= set(constants.exponent.tolist())
    odd = constants.multiplier == 3 * 2**29
    assert set(range(-31, 29)) <= set(constants.exponent[odd].tolist())
    assert 0 in constants.multiplier


def test_accumulators_next_to_ties_are() -> None:
    """Within one of the middle between two codes; products stay below 2**31."""
    real = 2.0 ** np.arange(-20.0, 21.0)
    acc = near_ties(np.random.default_rng([3]), real, 400)
    distance = np.abs((acc * real) % 1 - 0.5) / real
    # From 1/4 on there are only integers around; at the end of int32 there may be no tie.
    chosen = (real < 0.25) & (np.abs(acc) < 2**31 - 2)
    assert (distance[chosen] <= 1.5).all()
    assert (distance[chosen] == 0).mean() > 0.25
    assert (np.abs(acc * real) < 2.0**31).all()
    assert (np.abs(acc) < 2**31).all()


def test_zero_points_include_both_ends() -> None:
    """Of signed and unsigned codes."""
    assert {-128, 127, 0} < set(zero_points("int8"))
    assert {0, 255} < set(zero_points("uint8"))


def test_choices_depend_on_the_seed_alone() -> None:
    """The same generator, the same choices."""
    first, second = (RandomChooser(np.random.default_rng([4])) for _ in range(2))
    drawn = [(c.of("abc"), c.between(-3, 3)) for c in (first, second)]
    assert drawn[0] == drawn[1]
    assert all(-3 <= first.between(-3, 3) <= 3 for _ in range(50))
