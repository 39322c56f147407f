"""Reductions: every smaller call is as legal as the one it comes from."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel.abi import ABIS
from kdq_ref.verify.kernel.evidence import accumulators
from kdq_ref.verify.kernel.grid import drawn, random_choices
from kdq_ref.verify.kernel.images import Geometry, convolution
from kdq_ref.verify.kernel.pipeline import compute
from kdq_ref.verify.kernel.problem import Problem
from kdq_ref.verify.kernel.reductions import reductions


def _weight(problem: Problem) -> tuple[int, ...]:
    """What should never grow."""
    arrays = sum(array.size for array in problem.inputs.values())
    return arrays, problem.output_size


@pytest.mark.parametrize("name", ABIS)
def test_reductions_are_legal_and_not_larger(name: str) -> None:
    """They can be computed, fit their arrays, and keep inside the limits of the rule."""
    abi = ABIS[name]
    rule = RULES["rndnu"] if abi.requantizes else None
    for number in range(12):
        problem = drawn(random_choices(3, number), abi, rule)
        for smaller in reductions(problem):
            compute(smaller, np.zeros(smaller.output_size, abi.output))
            assert (np.abs(accumulators(smaller)) < 2**31).all()
            assert all(a <= b for a, b in zip(_weight(smaller), _weight(problem), strict=True))
            for array, leading in abi.family.leading.items():
                own = smaller.inputs.get(array)
                columns = smaller.channels if own is None else own.shape[1]
                assert smaller.sizes[leading] >= columns
            if smaller.scaling is not None:
                assert len(smaller.scaling.real) in (1, max(1, smaller.channels))


def test_windows_stay_inside_what_is_padded() -> None:
    """A smaller image gives a smaller output."""
    g = Geometry(size=(5, 6))
    chooser = random_choices(4, 1)
    problem = convolution(chooser, ABIS["conv2d_s8"], RULES["single_rounding"], g, "")
    sizes = [smaller.sizes for smaller in reductions(problem)]
    assert any(s["in_h"] < problem.sizes["in_h"] for s in sizes)
    assert all(s["out_h"] <= problem.sizes["out_h"] for s in sizes)
