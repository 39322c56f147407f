"""Whether a result depends on more than its inputs, and on what; one thing is varied at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kdq_ref.verify.kernel.pipeline import compute
from kdq_ref.verify.kernel.problem import matrix
from kdq_ref.verify.kernel.trial import Call, Outcome, Runner, Setting, Trial

_FILLS = (0x00, 0x5A, 0xFF)
_REPEATS = 3
# Not output_fill: outputs that are not written, or added to, are models of the diagnosis.
_MEMORY = (
    ("scratch_fill", "uninitialised_scratch", "uses uninitialised scratch memory"),
    ("stack_fill", "uninitialised_stack", "uses an uninitialised variable on the stack"),
    ("heap_fill", "uninitialised_heap", "uses uninitialised memory from malloc"),
)


@dataclass(frozen=True)
class Dependence:
    """What a result depends on, and calls that show it."""

    cause: str
    words: str
    evidence: str
    trial: Trial


def elements(call: Call, output: np.ndarray) -> bytes:
    """The elements of an output without its gaps."""
    problem = call.problem
    view = matrix(output, (problem.rows, problem.channels), problem.output_stride)
    return view.tobytes()


def is_right(call: Call, outcome: Outcome) -> bool:
    """Whether the last call of a trial returned what the specification does."""
    if outcome.kind != "done":
        return outcome.kind in ("refused", "skipped")
    return np.array_equal(outcome.outputs[-1], compute(call.problem, call.memory()))


def unstable(runner: Runner, call: Call, before: Sequence[Call]) -> Dependence | None:
    """Return what the result of a wrong call depends on; None if on its inputs only.

    Parameters
    ----------
    runner : Runner
    call : Call
        Wrong when it ran after the calls ``before``.
    before : sequence of Call
        The latest last.
    """
    trials = {field: [_filled(call, field, fill) for fill in _FILLS] for field, _, _ in _MEMORY}
    every = [Trial((c,)) for calls in trials.values() for c in calls]
    again = [Trial((call,))] * _REPEATS
    first, second = runner.run([*again, *every]), runner.run([*again, *every])
    if any(outcome.kind != "done" for outcome in (*first, *second)):
        return None
    same = {elements(call, o.outputs[0]) for o in (*first[:_REPEATS], *second[:_REPEATS])}
    if len(same) > 1:
        return _varies(runner, call)
    for number, (field, cause, words) in enumerate(_MEMORY):
        start = _REPEATS + number * len(_FILLS)
        results: dict[bytes, Call] = {}
        for outcome, changed in zip(first[start:], trials[field], strict=False):
            results.setdefault(elements(changed, outcome.outputs[0]), changed)
        if len(results) > 1:
            trial = Trial(tuple(results.values())[:2])
            evidence = f"the same call gives {len(results)} results; only that memory was changed"
            return Dependence(cause, words, evidence, trial)
    if is_right(call, first[0]):
        return _depends_on_history(runner, call, before)
    return None


def _filled(call: Call, field: str, fill: int) -> Call:
    changed: dict[str, Any] = {field: fill}
    return Call(call.problem, replace(call.setting, **changed))


def _varies(runner: Runner, call: Call) -> Dependence:
    """Equal calls give different results: because of those before them, or of chance."""
    fresh = [runner.alone(Trial((call,))) for _ in range(_REPEATS)]
    results = {elements(call, o.outputs[0]) for o in fresh if o.kind == "done"}
    if len(results) > 1:
        evidence = f"{len(results)} different results of {_REPEATS} equal calls in new processes"
        return Dependence("nondeterministic", "is not deterministic", evidence, Trial((call,)))
    evidence = "the same call, repeated in one process, gives another result"
    return Dependence("state", "keeps state between calls", evidence, Trial((call, call)))


def _depends_on_history(runner: Runner, call: Call, before: Sequence[Call]) -> Dependence | None:
    histories = [[earlier] for earlier in (*reversed(before[-4:]), call)]
    histories += [list(before[-count:]) for count in (8, 32, 128) if len(before) > count]
    histories.append(list(before))
    for history in histories:
        trial = Trial((*history, call))
        outcome = runner.alone(trial)
        if not is_right(call, outcome):
            evidence = f"right in a new process, wrong after {len(history)} other call(s)"
            return Dependence("state", "keeps state between calls", evidence, trial)
    return Dependence(
        "state",
        "keeps state between calls",
        f"right in a new process, wrong once after {len(before)} other calls",
        Trial((*before, call)),
    )


def race(runner: Runner, calls: Sequence[Call], rounds: int) -> Dependence | None:
    """Return a finding if calls are wrong when made at once.

    They are to be right one after the other: whoever asks has seen to that.
    """
    trial = Trial(tuple(calls), together=True)
    expected = [compute(call.problem, call.memory()) for call in calls]
    outcomes = [o for o in runner.run([trial] * rounds) if o.kind != "skipped"]
    wrong = 0
    for outcome in outcomes:
        if outcome.kind == "done":
            wrong += not all(map(np.array_equal, outcome.outputs, expected))
        else:
            wrong += outcome.kind != "refused"
    if not wrong:
        return None
    evidence = (
        f"{wrong} of {len(outcomes)} times, {len(calls)} calls at once went wrong that are "
        f"right one after the other"
    )
    return Dependence("thread_race", "is not thread-safe", evidence, trial)


SETTINGS = (
    Setting(),
    Setting(at_end=False, output_fill=0x3C, scratch_fill=0x3C, stack_fill=0x3C, heap_fill=0x3C),
)
"""Every call is made under both: at either end of its pages, over other remains."""
