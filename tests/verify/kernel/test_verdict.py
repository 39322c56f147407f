"""Verdicts: in words for people, in JSON for programs."""

from __future__ import annotations

import json

from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.grid import random_choices
from kdq_ref.verify.kernel.matrices import gemm
from kdq_ref.verify.kernel.trial import Call, Trial
from kdq_ref.verify.kernel.verdict import Finding, Verdict


def _verdict(*findings: Finding, outputs: int = 10, refused: int = 0) -> Verdict:
    stages = {"boundary grid": 4, "threads": 80}
    return Verdict(
        "gemm_s8s8s8", "rndnu", findings, 84, outputs, refused, ", all", stages, 1.25, 10.0
    )


def _finding() -> Finding:
    rule = RULES["rndnu"]
    problem = gemm(random_choices(0, 0), get_abi("gemm_s8s8s8"), rule, (1, 2, 1), "")
    return Finding("k_tail", "wrong for K", ("seen",), Trial((Call(problem),)))


def test_right_wrong_and_not_verified_are_told_apart() -> None:
    """The first line says which."""
    assert _verdict().passed
    assert _verdict().lines()[0].startswith("right: gemm_s8s8s8, rndnu")
    assert _verdict().lines()[1] == "boundary grid: 4, threads: 80"
    nothing = _verdict(outputs=0, refused=84)
    assert not nothing.passed
    assert nothing.lines()[0].startswith("not verified")
    assert nothing.lines()[-1] == "refused: 84 calls, all"
    wrong = _verdict(_finding())
    assert not wrong.passed
    assert wrong.lines()[0].startswith("WRONG")
    assert "* wrong for K" in wrong.lines()
    assert "  - seen" in wrong.lines()


def test_a_report_holds_the_whole_case() -> None:
    """Arrays, sizes and constants survive JSON."""
    finding = _finding()
    report = json.loads(json.dumps(_verdict(finding).report()))
    (case,) = report["findings"][0]["calls"]
    assert (report["passed"], report["rule"]) == (False, "rndnu")
    assert (case["m"], case["n"], case["k"]) == (1, 2, 1)
    assert case["a"] == finding.problem.inputs["a"].tolist()
    assert finding.problem.scaling is not None
    assert case["requant"]["real"] == finding.problem.scaling.real.tolist()
