"""Symptoms: the property that goes with failing, if there is one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.grid import boundary_grid
from kdq_ref.verify.kernel.stability import SETTINGS
from kdq_ref.verify.kernel.symptoms import Symptom, common_symptom
from kdq_ref.verify.kernel.trial import Call


def _symptom(abi: str, fails: Callable[[Call], bool]) -> Symptom | None:
    known = get_abi(abi)
    problems = boundary_grid(known, RULES["double_rounding"] if known.requantizes else None, 0)
    calls = [Call(problem, setting) for problem in problems for setting in SETTINGS]
    return common_symptom(calls, [fails(call) for call in calls])


@pytest.mark.parametrize(
    ("abi", "fails", "words"),
    [
        ("gemm_s8s8s32", lambda c: c.problem.sizes["k"] % 4, "for K not a multiple of 4"),
        ("gemm_s8s8s32", lambda c: c.problem.sizes["k"] % 16, "for K not a multiple of 16"),
        ("gemm_s8s8s32", lambda c: c.problem.sizes["n"] > 16, "for N above 16"),
        ("gemm_s8s8s32", lambda c: c.problem.sizes["k"] == 0, "for K = 0"),
        ("gemm_s8s8s32", lambda c: (c.problem.data == -128).any(), "where the data hold -128"),
        ("gemm_s8s8s8", lambda c: c.problem.zero_point < 0, "for negative zero points of the in"),
        ("gemm_s8s8s8", lambda c: "bias" not in c.problem.inputs, "without a bias (NULL)"),
        ("requantize", lambda c: len(c.problem.scaling.real) == 1, "with one multiplier for all"),
        ("conv2d_s8", lambda c: c.problem.sizes["groups"] > 1, "for more than one group"),
        ("depthwise_s8", lambda c: not c.setting.at_end, "where arrays begin at a guard"),
    ],
)
def test_a_property_is_found(abi: str, fails: Callable[[Call], bool], words: str) -> None:
    """All calls that have it fail, the others do not."""
    symptom = _symptom(abi, lambda call: bool(fails(call)))
    assert symptom is not None
    assert symptom.words.startswith(words)
    assert symptom.failing == symptom.having
    assert symptom.sentence().startswith(f"only {symptom.words} (all {symptom.having} such")


def test_rows_with_gaps_are_a_property() -> None:
    """Even if not all of them fail."""
    symptom = _symptom(
        "gemm_s8s8s32",
        lambda c: c.problem.sizes["lda"] > c.problem.sizes["k"] and c.problem.sizes["m"] > 1,
    )
    assert symptom is not None
    assert "rows of A have gaps" in symptom.words


def test_everything_and_nothing_have_no_property() -> None:
    """Neither do calls that have nothing in common."""
    assert _symptom("gemm_s8s8s32", lambda call: True) is None
    assert _symptom("gemm_s8s8s32", lambda call: False) is None
    odd = _symptom("requantize", lambda call: int(call.problem.data.sum()) % 3 == 1)
    assert odd is None
