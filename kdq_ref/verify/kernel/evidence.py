"""Numbers behind a verdict: how many results a rule explains, where it first differs, which weights
are safe."""

from __future__ import annotations

import numpy as np

from kdq_ref.rounding import Rule
from kdq_ref.verify.kernel import pipeline
from kdq_ref.verify.kernel.abi import GEMM, Abi
from kdq_ref.verify.kernel.diagnosis import Explanation, Observation
from kdq_ref.verify.kernel.grid import rounding_sweep
from kdq_ref.verify.kernel.pipeline import compute
from kdq_ref.verify.kernel.problem import Problem
from kdq_ref.verify.kernel.scale_defects import OTHER_RULE
from kdq_ref.verify.kernel.sum_defects import PAIRS_SATURATE
from kdq_ref.verify.kernel.trial import Call, Runner, Trial

SWEEPS = 64
"""With 65,536 outputs each: 4,194,304."""
_TOGETHER = 8


def sweep_observations(
    runner: Runner, abi: Abi, rule: Rule, seed: int, numbers: range
) -> list[Observation]:
    """Run sweeps of accumulators next to ties; those that came back."""
    calls = [Call(rounding_sweep(abi, rule, seed, number)) for number in numbers]
    outcomes = runner.run([Trial((call,)) for call in calls])
    return [
        Observation(call, outcome.outputs[0], compute(call.problem, call.memory()))
        for call, outcome in zip(calls, outcomes, strict=True)
        if outcome.kind == "done"
    ]


def rule_evidence(
    runner: Runner, abi: Abi, rule: Rule, seed: int, explanation: Explanation
) -> list[str]:
    """Hold another rule against 4,194,304 outputs, and find where it parts from ``rule``."""
    equal = total = 0
    first: tuple[tuple[float, ...], str] | None = None
    for start in range(0, SWEEPS, _TOGETHER):
        numbers = range(start, start + _TOGETHER)
        for seen in sweep_observations(runner, abi, rule, seed, numbers):
            model = compute(seen.call.problem, seen.call.memory(), explanation.steps)
            equal += int((model == seen.got).sum())
            total += seen.got.size
            if start == 0:
                found = _first_difference(seen)
                first = min(first, found) if first and found else first or found
    name = explanation.defects[0].name.removeprefix(OTHER_RULE)
    lines = [f"equal to `{name}` on {equal:,} of {total:,} cases, most of them next to ties"]
    if first is not None:
        lines.append(f"differs from the requested `{rule.name}` first at {first[1]}")
    return lines


def _first_difference(seen: Observation) -> tuple[tuple[float, ...], str] | None:
    """The accumulator nearest to 0 that is scaled wrongly, the plainest multiplier first."""
    problem = seen.call.problem
    wrong = np.flatnonzero(seen.got != seen.expected)
    if not len(wrong) or problem.scaling is None:
        return None
    acc = accumulators(problem)
    rows, channels = np.divmod(wrong, problem.channels)
    values = acc[rows, channels]
    constants = problem.scaling.arrays
    plain = constants["multiplier"][channels] != 2**30
    order = np.lexsort((values, -constants["real"][channels], np.abs(values), plain))
    n = order[0]
    channel, value = channels[n], int(values[n])
    exponent = int(constants["exponent"][channel])
    text = (
        f"acc = {value}, multiplier = 0x{int(constants['multiplier'][channel]):08X}, "
        f"{'shift' if exponent <= 0 else 'left shift'} = {abs(exponent)}: "
        f"{int(seen.got[wrong[n]])} instead of {int(seen.expected[wrong[n]])}"
    )
    return (float(plain[n]), abs(value), -float(constants["real"][channel]), value), text


def accumulators(problem: Problem) -> np.ndarray:
    """(rows, channels) int64, with the bias."""
    operands = pipeline.load(problem)
    acc = problem.data if operands is None else pipeline.accumulate(operands)
    return acc.astype(np.int64) + problem.bias


def weight_limit(runner: Runner, abi: Abi) -> int | None:
    """The largest L for which extreme codes and weights of -L and L alone are summed right."""
    if abi.family is not GEMM or abi.requantizes:
        return None
    limits = np.iinfo(abi.data)
    calls = []
    for weight in range(1, 129):
        for code in (limits.min, limits.max):
            sizes = {"m": 1, "n": 2, "k": 16, "lda": 16, "ldb": 2, "ldc": 2, "a_zero_point": 0}
            b = np.array([max(-weight, -128), min(weight, 127)], np.int8)
            inputs = {"a": np.full((1, 16), code, abi.data), "b": np.tile(b, (16, 1))}
            calls.append(Call(Problem(abi, "weights of one size", sizes, inputs)))
    outcomes = runner.run([Trial((call,)) for call in calls])
    for number, (call, outcome) in enumerate(zip(calls, outcomes, strict=True)):
        if outcome.kind != "done":
            return None
        expected = compute(call.problem, call.memory())
        if not np.array_equal(outcome.outputs[0], expected):
            return number // 2
    return 128


def supporting(
    runner: Runner, abi: Abi, rule: Rule | None, seed: int, explanation: Explanation
) -> tuple[str, list[str]]:
    """Return words that say more than the explanation's own ("" if none), and lines of evidence."""
    name = explanation.name
    if rule is not None and name.startswith(OTHER_RULE) and len(explanation.defects) == 1:
        return "", rule_evidence(runner, abi, rule, seed, explanation)
    if name == PAIRS_SATURATE:
        limit = weight_limit(runner, abi)
        if limit is not None and limit < 128:
            return f"pair sums saturate: exact for weights in [-{limit}, {limit}]", []
    return "", []
