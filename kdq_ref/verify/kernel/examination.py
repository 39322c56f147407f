"""The whole verification of one kernel: which calls, in which order, and when to stop."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from kdq_ref.rounding import Rule
from kdq_ref.verify.kernel.abi import CONV2D, GEMM, Abi
from kdq_ref.verify.kernel.evidence import SWEEPS
from kdq_ref.verify.kernel.findings import Examiner, Record
from kdq_ref.verify.kernel.grid import boundary_grid, drawn, random_choices, rounding_sweep
from kdq_ref.verify.kernel.images import Geometry, convolution
from kdq_ref.verify.kernel.matrices import gemm, requantize
from kdq_ref.verify.kernel.problem import Problem
from kdq_ref.verify.kernel.property_search import available, failing_example
from kdq_ref.verify.kernel.stability import SETTINGS, is_right, race
from kdq_ref.verify.kernel.symptoms import common_symptom
from kdq_ref.verify.kernel.trial import Call, Outcome, Runner, Target, Trial
from kdq_ref.verify.kernel.values import RandomChooser
from kdq_ref.verify.kernel.verdict import Finding, Verdict

_FIRST_SWEEPS = 2
_BATCH = 32
_RACES = ((1, 20), (32, 5))
"""How long calls made at once are, and how often: where threads share one processor, only calls
longer than its time slices overlap."""
_THREADS = 107  # what a generator is for


class Examination:
    """Verifies one kernel.

    Parameters
    ----------
    target : Target
    abi : Abi
    rule : Rule or None
    seconds : float
        How long to go on looking for faults; the boundary grid is always completed, and what is
        found is always explained.
    seed : int
    limit : float
        Seconds without a result after which a call hangs.
    """

    def __init__(
        self, target: Target, abi: Abi, rule: Rule | None, seconds: float, seed: int, limit: float
    ) -> None:
        self.abi = abi
        self.rule = rule
        self.seed = seed
        self.runner = Runner(target, limit)
        self._start = time.monotonic()
        self._until = self._start + seconds
        self._examiner = Examiner(self.runner, abi, rule, seed, shrinking=max(3.0, seconds / 4))
        self._stages = dict.fromkeys(_stages(rule), 0)
        self._outputs = 0
        self._refused = 0

    def run(self) -> Verdict:
        """Look for faults; explain those found."""
        problems = boundary_grid(self.abi, self.rule, self.seed)
        if self.rule is not None:
            problems += self._sweeps(range(_FIRST_SWEEPS))
        record = self._observe("boundary grid", problems)
        findings = self._examiner.findings(record)
        if not findings:
            findings = self._threads()
        if not findings:
            findings = self._search()
        return Verdict(
            self.abi.name,
            self.rule.name if self.rule else "",
            tuple(findings),
            sum(self._stages.values()),
            self._outputs,
            self._refused,
            _refusals(record),
            self._stages,
            time.monotonic() - self._start,
            self._until - self._start,
        )

    def _sweeps(self, numbers: range) -> list[Problem]:
        assert self.rule is not None, "only rules are swept"
        return [rounding_sweep(self.abi, self.rule, self.seed, number) for number in numbers]

    def _observe(self, stage: str, problems: Sequence[Problem]) -> Record:
        """Make every call under every setting."""
        calls = [Call(problem, setting) for problem in problems for setting in SETTINGS]
        outcomes = self.runner.run([Trial((call,)) for call in calls])
        self._count(stage, outcomes)
        return Record(calls, outcomes)

    def _count(self, stage: str, outcomes: Sequence[Outcome]) -> None:
        made = sum(outcome.kind != "skipped" for outcome in outcomes)
        self._stages[stage] += made
        self._outputs += sum(out.size for outcome in outcomes for out in outcome.outputs)
        self._refused += sum(outcome.kind == "refused" for outcome in outcomes)

    def _search(self) -> list[Finding]:
        """Sweeps, drawn calls, hypothesis, while there is time."""
        start = time.monotonic()
        third = max(self._until - start, 0.0) / 3
        for number in range(_FIRST_SWEEPS, SWEEPS, 2):
            if self.rule is None or time.monotonic() > start + third:
                break
            sweeps = self._sweeps(range(number, number + 2))
            if findings := self._judge(self._observe("rounding sweeps", sweeps)):
                return findings
        number = 0
        while time.monotonic() < self._until - third:
            choices = [random_choices(self.seed, number + n) for n in range(_BATCH)]
            problems = [drawn(chooser, self.abi, self.rule) for chooser in choices]
            if findings := self._judge(self._observe("drawn calls", problems)):
                return findings
            number += _BATCH
        return self._properties()

    def _judge(self, record: Record) -> list[Finding]:
        clean = all(
            is_right(call, outcome) and not outcome.changed
            for call, outcome in zip(record.calls, record.outcomes, strict=True)
        )
        return [] if clean else self._examiner.findings(record)

    def _properties(self) -> list[Finding]:
        """Let hypothesis look for a failing call, and make it small."""

        def fails(problem: Problem) -> bool:
            record = self._observe("hypothesis", [problem])
            return any(
                not is_right(call, outcome) or bool(outcome.changed)
                for call, outcome in zip(record.calls, record.outcomes, strict=True)
            )

        if not available():
            del self._stages["hypothesis"]
            self._stages["hypothesis, which is not installed"] = 0
            return []
        problem = failing_example(self.abi, self.rule, fails, self._until, self.seed)
        return [] if problem is None else self._judge(self._observe("hypothesis", [problem]))

    def _threads(self) -> list[Finding]:
        """Calls at once that were right one after the other."""
        took = 0.0  # of the shortest calls, one after the other
        for longer, rounds in _RACES:
            if took * longer > self.runner.limit / 2:
                break  # at once on one processor, such calls might be taken for a hang
            start = time.monotonic()
            record = self._observe("threads", long_problems(self.abi, self.rule, self.seed, longer))
            took = took or time.monotonic() - start
            if findings := self._judge(record):
                return findings
            calls = [record.calls[n] for n in record.of("done")]
            self._stages["threads"] += rounds * len(calls)
            if found := race(self.runner, calls, rounds):
                return [self._examiner.dependence(found)]
        return []


def _stages(rule: Rule | None) -> tuple[str, ...]:
    """Every stage, in order."""
    sweeps = () if rule is None else ("rounding sweeps",)
    return ("boundary grid", "threads", *sweeps, "drawn calls", "hypothesis")


def _refusals(record: Record) -> str:
    """Which calls are refused, in words, if they have something in common."""
    refused = set(record.of("refused"))
    made = [n for n, outcome in enumerate(record.outcomes) if outcome.kind != "skipped"]
    symptom = common_symptom([record.calls[n] for n in made], [n in refused for n in made])
    return "" if symptom is None else f", of the boundary grid those {symptom.words}"


def long_problems(abi: Abi, rule: Rule | None, seed: int, longer: int) -> list[Problem]:
    """Two calls long enough to overlap, with different results; ``longer``: 1, or 32 for more."""
    chooser = RandomChooser(np.random.default_rng([seed, _THREADS]))
    why = "several threads at once"
    if abi.family is GEMM:
        return [gemm(chooser, abi, rule, (24, 33, k * longer), why) for k in (256, 200)]
    assert rule is not None, "only products have no rule"
    if abi.family is CONV2D:
        height = 20 * longer
        g = Geometry(size=(height, 20), channels=(16, 2 if abi.depthwise else 16))
        return [convolution(chooser, abi, rule, g, why) for _ in range(2)]
    # Not as much longer: a case is written out as a C file.
    longer = min(longer, 4)
    return [requantize(chooser, abi, rule, (rows * longer, 256), why) for rows in (256, 200)]
