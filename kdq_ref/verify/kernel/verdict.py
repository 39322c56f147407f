"""What is said about a kernel: findings in words, with evidence and the smallest case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdq_ref.verify.kernel.problem import Problem
from kdq_ref.verify.kernel.trial import Trial


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a kernel.

    Attributes
    ----------
    cause : str
        Its name, for programs; "unexplained" where no known cause fits.
    words : str
        What is wrong.
    evidence : tuple of str
        Why we say so.
    trial : Trial
        The smallest calls that show it.
    """

    cause: str
    words: str
    evidence: tuple[str, ...]
    trial: Trial

    @property
    def problem(self) -> Problem:
        """The call that fails: the last one."""
        return self.trial.calls[-1].problem

    def report(self) -> dict[str, Any]:
        """The finding, JSON-able; arrays as nested lists."""
        return {
            "cause": self.cause,
            "words": self.words,
            "evidence": list(self.evidence),
            "calls": [_report_problem(call.problem) for call in self.trial.calls],
            "at_once": self.trial.together,
        }


def _report_problem(problem: Problem) -> dict[str, Any]:
    report: dict[str, Any] = dict(problem.sizes)
    report |= {name: array.tolist() for name, array in problem.inputs.items()}
    if problem.scaling is not None:
        s = problem.scaling
        report["requant"] = {
            "zero_point": s.zero_point,
            "qmin": s.qmin,
            "qmax": s.qmax,
            **{name: array.tolist() for name, array in s.arrays.items()},
        }
    return report


@dataclass(frozen=True)
class Verdict:
    """What verification found.

    Attributes
    ----------
    abi, rule : str
        ``rule`` is "" where none applies.
    findings : tuple of Finding
        The worst first; empty for a kernel without faults.
    calls, outputs : int
        Calls made, and output elements compared with the specification.
    refused : int
        Calls that the kernel does not claim to compute.
    refused_words : str
        Which those are, as far as can be told.
    stages : mapping of str to int
        Calls of every stage.
    seconds, asked : float
        What it took, and what there was for the search.
    """

    abi: str
    rule: str
    findings: tuple[Finding, ...]
    calls: int
    outputs: int
    refused: int
    refused_words: str
    stages: Mapping[str, int]
    seconds: float
    asked: float

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong and something was computed."""
        return not self.findings and self.outputs > 0

    def lines(self) -> list[str]:
        """The verdict in words."""
        of = f"{self.abi}, {self.rule}" if self.rule else self.abi
        made = f"{self.calls:,} calls, {self.outputs:,} outputs, {self.seconds:.1f} s"
        if self.passed:
            taken = f" where it is not refused ({self.refused:,} calls)" if self.refused else ""
            lines = [f"right: {of}: every bit as specified{taken} ({made})"]
        elif not self.findings:
            lines = [f"not verified: {of}: the kernel refused all calls ({made})"]
        else:
            lines = [f"WRONG: {of} ({made})"]
        tried = [f"{stage}: {count:,}" for stage, count in self.stages.items() if count]
        lines.append(", ".join(tried))
        short = [stage for stage, count in self.stages.items() if not count]
        if short and not self.findings:
            lines.append(f"not tried: {', '.join(short)} (--seconds: {self.asked:g})")
        for finding in self.findings:
            lines += ["", f"* {finding.words}", *(f"  - {line}" for line in finding.evidence)]
            lines.append(f"  - smallest case: {finding.problem.describe()}")
        if self.refused:
            lines += ["", f"refused: {self.refused:,} calls{self.refused_words}"]
        return lines

    def report(self) -> dict[str, Any]:
        """The verdict, JSON-able."""
        return {
            "passed": self.passed,
            "abi": self.abi,
            "rule": self.rule or None,
            "findings": [finding.report() for finding in self.findings],
            "calls": self.calls,
            "outputs": self.outputs,
            "refused": self.refused,
            "stages": dict(self.stages),
            "seconds": self.seconds,
        }
