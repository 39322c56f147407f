"""Shrinking ends at the smallest call that still fails, always at the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.grid import random_choices
from kdq_ref.verify.kernel.images import Geometry, convolution
from kdq_ref.verify.kernel.matrices import gemm
from kdq_ref.verify.kernel.problem import Problem
from kdq_ref.verify.kernel.shrink import smallest


def test_a_product_shrinks_to_what_matters() -> None:
    """It fails from K = 3 on, with a 127 in A."""

    def failing(problems: Sequence[Problem]) -> list[bool]:
        return [p.sizes["k"] >= 3 and bool((p.inputs["a"] == 127).any()) for p in problems]

    abi = get_abi("gemm_s8s8s32")
    problem = gemm(random_choices(0, 0), abi, None, (9, 17, 33), "", kinds=("ends", "any"))
    small, again = (smallest(problem, failing, 60.0) for _ in range(2))
    assert (small.sizes["m"], small.sizes["n"], small.sizes["k"]) == (1, 0, 3)
    assert sorted(small.inputs["a"].ravel().tolist()) == [0, 0, 127]
    np.testing.assert_array_equal(small.inputs["a"], again.inputs["a"])


def test_a_convolution_shrinks_to_one_pixel() -> None:
    """It fails with padding on top and a zero point that is not 0."""

    def failing(problems: Sequence[Problem]) -> list[bool]:
        return [p.sizes["pad_top"] > 0 and p.zero_point != 0 for p in problems]

    g = Geometry(size=(7, 8), channels=(5, 6), stride=(2, 1), batch=2)
    abi, rule = get_abi("conv2d_s8"), RULES["double_rounding"]
    problem = convolution(random_choices(0, 1), abi, rule, g, "", zero_point=-128)
    small = smallest(problem, failing, 60.0)
    assert small.inputs["x"].shape == (1, 1, 1, 1)
    assert (small.sizes["kernel_h"], small.sizes["pad_left"], small.zero_point) == (1, 0, -1)


def test_without_time_the_call_stays_as_it_is() -> None:
    """And so does one that cannot be reduced."""
    abi = get_abi("gemm_s8s8s32")
    problem = gemm(random_choices(0, 0), abi, None, (2, 2, 2), "")
    assert smallest(problem, lambda problems: [True] * len(problems), 0.0) is problem
    assert smallest(problem, lambda problems: [False] * len(problems), 60.0) is problem
