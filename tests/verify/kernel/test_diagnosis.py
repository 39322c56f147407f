"""Diagnosis: every model is recognised when it is the kernel, and none is when nothing is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref.errors import KdqError
from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel.abi import ABIS
from kdq_ref.verify.kernel.diagnosis import Observation, defects_for, explain
from kdq_ref.verify.kernel.grid import boundary_grid
from kdq_ref.verify.kernel.pipeline import Steps, compute
from kdq_ref.verify.kernel.stability import SETTINGS
from kdq_ref.verify.kernel.trial import Call


def _calls(name: str, count: int) -> list[Call]:
    abi = ABIS[name]
    problems = boundary_grid(abi, RULES["double_rounding"] if abi.requantizes else None, 0)
    few = problems[:: max(1, len(problems) // count)]
    return [Call(problem, setting) for problem in few for setting in SETTINGS]


def _observe(calls: list[Call], steps: Steps) -> list[Observation]:
    seen = []
    for call in calls:
        memory = call.memory()
        try:
            got = compute(call.problem, memory, steps)
        except KdqError:  # a multiplier that this model cannot use
            continue
        seen.append(Observation(call, got, compute(call.problem, memory)))
    return seen


@pytest.mark.parametrize("name", ["gemm_u8s8s32", "gemm_s8s8s8"])
def test_every_defect_is_recognised(name: str) -> None:
    """A kernel that is the model itself is explained by it, or by one of the same results."""
    calls = _calls(name, 12)
    shown = 0
    for defect in defects_for(ABIS[name]):
        seen = _observe(calls, defect.steps)
        if all(observation.right for observation in seen):
            continue  # these calls do not show it
        shown += 1
        explanations = explain(seen, ABIS[name])
        assert defect.words in [explanation.words for explanation in explanations]
        for explanation in explanations:
            counts = explanation.wrong, explanation.right, explanation.undefined
            assert sum(counts) == len(seen)
    assert shown > 0.5 * len(defects_for(ABIS[name]))


def test_nothing_wrong_needs_no_explanation() -> None:
    """Right results alone."""
    seen = _observe(_calls("gemm_s8s8s32", 10), {})
    assert explain(seen, ABIS["gemm_s8s8s32"]) == []


def test_two_defects_are_found_together() -> None:
    """Of different steps, with all results that they explain."""
    known = {defect.name: defect for defect in defects_for(ABIS["gemm_s8s8s8"])}
    pair = {**known["int16_wraps"].steps, **known["clamp_ignored"].steps}
    seen = _observe(_calls("gemm_s8s8s8", 15), pair)
    best = explain(seen, ABIS["gemm_s8s8s8"])[0]
    assert best.name == "int16_wraps+clamp_ignored"
    assert best.wrong == sum(not observation.right for observation in seen)
    assert best.right == sum(observation.right for observation in seen)


def test_one_right_result_refutes_a_model() -> None:
    """What explains all wrong results but contradicts a right one is no explanation."""
    name = "gemm_s8s8s32"
    (k_tail,) = [d for d in defects_for(ABIS[name]) if "K not a multiple of 4" in d.words]
    seen = _observe(_calls(name, 30), k_tail.steps)
    assert k_tail.words in [e.words for e in explain(seen, ABIS[name])]
    number = next(n for n, o in enumerate(seen) if not o.right)
    seen[number] = Observation(seen[number].call, seen[number].expected, seen[number].expected)
    assert k_tail.words not in [e.words for e in explain(seen, ABIS[name])]


def test_noise_has_no_explanation() -> None:
    """Results that nothing known returns."""
    rng = np.random.default_rng([0])
    calls = [call for call in _calls("requantize", 10) if call.problem.output_size]
    seen = []
    for observation in _observe(calls, {}):
        noise = rng.integers(-128, 128, observation.got.shape, np.int8)
        seen.append(Observation(observation.call, noise, observation.expected))
    assert explain(seen, ABIS["requantize"]) == []
