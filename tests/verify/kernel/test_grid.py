"""The grid: legal calls, the same ones for the same seed, and the corners that are promised."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel.abi import ABIS, get_abi
from kdq_ref.verify.kernel.evidence import accumulators
from kdq_ref.verify.kernel.grid import (
    boundary_grid,
    drawn,
    random_choices,
    rounding_sweep,
    rule_for,
)
from kdq_ref.verify.kernel.problem import Problem


def check_legal(problem: Problem) -> None:
    """What the header promises to a kernel."""
    acc = accumulators(problem)
    assert (np.abs(acc) < 2**31).all()
    for name, leading in problem.abi.family.leading.items():
        columns = problem.channels if name not in problem.inputs else problem.inputs[name].shape[1]
        assert problem.sizes[leading] >= columns
    if problem.scaling is None:
        return
    s, (low, high) = problem.scaling, problem.abi.codes
    assert low <= s.qmin <= s.qmax <= high
    assert low <= s.zero_point <= high
    assert len(s.real) in (1, max(problem.channels, 1))
    assert (np.abs(acc * s.real) < 2.0**31).all()
    left = np.maximum(s.arrays["exponent"], 0)
    assert (np.abs(acc) * 2.0**left < 2.0**31).all(), "a left shift must fit int32"
    weight = problem.inputs.get(problem.abi.family.weight)
    assert weight is None or (weight > -128).all()


@pytest.mark.parametrize("name", ABIS)
def test_every_call_is_legal(name: str) -> None:
    """Grid, drawn calls and sweeps keep what the header promises."""
    abi = get_abi(name)
    for rule in RULES.values() if abi.requantizes else [None]:
        problems = [drawn(random_choices(1, n), abi, rule) for n in range(20)]
        if rule is None or rule.name in ("double_rounding", "qnnpack"):
            problems += boundary_grid(abi, rule, 1)
        if rule is not None:
            problems += [rounding_sweep(abi, rule, 1, number) for number in range(2)]
        for problem in problems:
            check_legal(problem)


def test_the_grid_has_the_promised_corners() -> None:
    """K of 0 and 1, M and N of 1, gaps, extreme codes, negative zero points, sizes around tiles."""
    problems = boundary_grid(get_abi("gemm_s8s8s8"), RULES["double_rounding"], 0)
    for name in "mnk":
        assert {0, 1, 15, 16, 17} <= {p.sizes[name] for p in problems}
    assert any(p.sizes["lda"] > p.sizes["k"] for p in problems)
    assert any(p.sizes["ldc"] > p.sizes["n"] for p in problems)
    assert any((p.inputs["a"] == -128).all() and p.inputs["a"].size for p in problems)
    assert any(p.zero_point == -128 for p in problems)
    assert any(p.scaling is not None and p.scaling.zero_point < 0 for p in problems)


def test_a_sweep_is_full_of_ties() -> None:
    """Thousands of accumulators lie exactly on one, and many more next to one."""
    plain, drawn_ones = (
        rounding_sweep(get_abi("requantize"), RULES["double_rounding"], 0, n) for n in (0, 1)
    )
    assert plain.output_size == drawn_ones.output_size == 2**16
    assert plain.scaling is not None
    assert drawn_ones.scaling is not None
    exact = accumulators(plain) * plain.scaling.real
    assert (exact % 1 == 0.5).sum() > 2000
    near = accumulators(drawn_ones) * drawn_ones.scaling.real
    assert (np.abs(near % 1 - 0.5) < 0.02).mean() > 1 / 6


@pytest.mark.parametrize("name", ["gemm_u8s8s32", "depthwise_s8", "requantize"])
def test_the_same_seed_gives_the_same_calls(name: str) -> None:
    """And another one others."""
    abi = get_abi(name)
    rule = rule_for(abi, None)
    first, second, other = (boundary_grid(abi, rule, seed) for seed in (3, 3, 4))
    for one, two in zip(first, second, strict=True):
        assert one.sizes == two.sizes
        for array in one.inputs:
            np.testing.assert_array_equal(one.inputs[array], two.inputs[array])
    assert any(
        not np.array_equal(one.data, two.data) for one, two in zip(first, other, strict=False)
    )


def test_rules_go_with_abis_that_requantize() -> None:
    """The default is single_rounding; a product takes none."""
    requantize = rule_for(get_abi("requantize"), None)
    assert requantize is RULES["single_rounding"]
    assert rule_for(get_abi("gemm_s8s8s32"), None) is None
    with pytest.raises(InvalidArgumentError, match="no rounding rule applies"):
        rule_for(get_abi("gemm_s8s8s32"), "fbgemm")
    with pytest.raises(InvalidArgumentError, match="unknown rounding rule"):
        rule_for(get_abi("requantize"), "banker")
