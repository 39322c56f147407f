"""Which calls a kernel is given, for each calling convention."""

from __future__ import annotations

import numpy as np

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.rounding import Rule, get_rule
from kdq_ref.verify.kernel import images, matrices
from kdq_ref.verify.kernel.abi import CONV2D, GEMM, Abi
from kdq_ref.verify.kernel.problem import Problem
from kdq_ref.verify.kernel.values import Chooser, RandomChooser, multipliers

_GRID, _SWEEP, _DRAWN = 101, 102, 103  # what a generator is for
SWEEP_CHANNELS, SWEEP_ROWS = 256, 256


def rule_for(abi: Abi, rule: str | Rule | None) -> Rule | None:
    """The rule to hold a kernel to; the default one where none is given.

    Raises
    ------
    InvalidArgumentError
        For an unknown rule, or one where nothing is requantized.
    """
    if not abi.requantizes:
        if rule is not None:
            raise InvalidArgumentError(
                f"abi {abi.name} ends with the accumulator: no rounding rule applies to it"
            )
        return None
    return get_rule("single_rounding" if rule is None else rule)


def boundary_grid(abi: Abi, rule: Rule | None, seed: int) -> list[Problem]:
    """The calls where kernels go wrong; the same ones for the same seed."""
    chooser = RandomChooser(np.random.default_rng([seed, _GRID]))
    if abi.family is GEMM:
        return matrices.gemm_grid(chooser, abi, rule)
    assert rule is not None, "only products have no rule"
    if abi.family is CONV2D:
        return images.convolution_grid(chooser, abi, rule)
    return matrices.requantize_grid(chooser, abi, rule)


def drawn(chooser: Chooser, abi: Abi, rule: Rule | None) -> Problem:
    """Any call at all."""
    if abi.family is GEMM:
        return matrices.gemm_drawn(chooser, abi, rule)
    assert rule is not None, "only products have no rule"
    if abi.family is CONV2D:
        return images.convolution_drawn(chooser, abi, rule)
    return matrices.requantize_drawn(chooser, abi, rule)


def random_choices(seed: int, number: int) -> RandomChooser:
    """Choices for the call of that number."""
    return RandomChooser(np.random.default_rng([seed, _DRAWN, number]))


def rounding_sweep(abi: Abi, rule: Rule, seed: int, number: int) -> Problem:
    """65,536 outputs, most of them from accumulators next to ties; number 0 has the plainest."""
    rng = np.random.default_rng([seed, _SWEEP, number])
    known = multipliers(rule, rng, SWEEP_CHANNELS if number == 0 else 4 * SWEEP_CHANNELS)
    real = known if number == 0 else known[-SWEEP_CHANNELS:]
    make = images.convolution_sweep if abi.family is CONV2D else matrices.sweep
    return make(rng, abi, rule, real, SWEEP_ROWS)
