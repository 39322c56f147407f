"""Evidence: counted, never assumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel import evidence
from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.diagnosis import Explanation
from kdq_ref.verify.kernel.grid import random_choices
from kdq_ref.verify.kernel.library import Library
from kdq_ref.verify.kernel.matrices import gemm
from kdq_ref.verify.kernel.scale_defects import scale_defects
from kdq_ref.verify.kernel.trial import Runner

RULE = RULES["double_rounding"]


def test_accumulators_are_those_of_the_specification() -> None:
    """Sums with zero point and bias."""
    problem = gemm(random_choices(0, 2), get_abi("gemm_s8s8s8"), RULE, (3, 4, 5), "")
    a, b = (problem.inputs[name].astype(int) for name in "ab")
    wanted = (a - problem.zero_point) @ b + problem.inputs.get("bias", 0)
    np.testing.assert_array_equal(evidence.accumulators(problem), wanted)


def test_a_rule_is_counted_over_four_million_outputs(layers: Path) -> None:
    """All 64 sweeps; the first difference is the smallest accumulator there is."""
    abi = get_abi("requantize")
    runner = Runner(Library(layers, "wrong_ties_up", abi), 60.0)
    (ties_up,) = [d for d in scale_defects() if d.name == "rule_double_rounding_ties_up"]
    words, lines = evidence.supporting(runner, abi, RULE, 0, Explanation((ties_up,), 1, 1, 0))
    assert words == ""
    equal, differs = lines
    assert equal.startswith("equal to `double_rounding_ties_up` on 4,194,304 of 4,194,304 cases")
    first = "acc = -2, multiplier = 0x40000000, shift = 1: 0 instead of -1"
    assert differs == f"differs from the requested `double_rounding` first at {first}"


def test_a_wrong_explanation_would_show(layers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The count is of the kernel's own outputs: another rule does not reach all of them."""
    monkeypatch.setattr(evidence, "SWEEPS", 2)
    abi = get_abi("requantize")
    runner = Runner(Library(layers, "wrong_ties_up", abi), 60.0)
    (other,) = [d for d in scale_defects() if d.name == "rule_single_rounding"]
    lines = evidence.rule_evidence(runner, abi, RULE, 0, Explanation((other,), 1, 1, 0))
    assert "of 524,288 cases" in lines[0]
    assert "on 524,288 of" not in lines[0]


@pytest.mark.parametrize(
    ("symbol", "abi", "limit"),
    [("wrong_pair_saturation", "gemm_u8s8s32", 64), ("wrong_k_0", "gemm_s8s8s32", 128)],
)
def test_the_limit_of_weights_is_tried(products: Path, symbol: str, abi: str, limit: int) -> None:
    """64 for saturating pairs of unsigned codes; none for a kernel whose sums are right."""
    known = get_abi(abi)
    assert evidence.weight_limit(Runner(Library(products, symbol, known), 60.0), known) == limit
