"""From what calls did to what is wrong with the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kdq_ref.rounding import Rule
from kdq_ref.verify.kernel.abi import Abi
from kdq_ref.verify.kernel.diagnosis import Explanation, Observation, explain
from kdq_ref.verify.kernel.evidence import supporting
from kdq_ref.verify.kernel.memory_faults import explain_death, shown, signal_name
from kdq_ref.verify.kernel.pipeline import compute
from kdq_ref.verify.kernel.problem import Problem
from kdq_ref.verify.kernel.shrink import smallest
from kdq_ref.verify.kernel.stability import Dependence, is_right, unstable
from kdq_ref.verify.kernel.symptoms import common_symptom
from kdq_ref.verify.kernel.trial import Call, Outcome, Runner, Setting, Trial
from kdq_ref.verify.kernel.verdict import Finding

_SAMPLED = 6  # wrong calls that are examined one by one
UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Record:
    """Single calls in the order they were made, and their outcomes."""

    calls: Sequence[Call]
    outcomes: Sequence[Outcome]

    def of(self, *kinds: str) -> list[int]:
        """Numbers of the outcomes of those kinds, the smallest call first."""
        numbers = [n for n, outcome in enumerate(self.outcomes) if outcome.kind in kinds]
        return sorted(numbers, key=lambda n: (_size(self.calls[n].problem), n))

    def under(self, setting: Setting) -> Record:
        """Only the calls under that setting."""
        kept = [n for n, call in enumerate(self.calls) if call.setting == setting]
        return Record([self.calls[n] for n in kept], [self.outcomes[n] for n in kept])

    def observations(self) -> dict[int, Observation]:
        """What came back, by number."""
        return {
            n: Observation(call, outcome.outputs[0], compute(call.problem, call.memory()))
            for n, (call, outcome) in enumerate(zip(self.calls, self.outcomes, strict=True))
            if outcome.kind == "done"
        }


@dataclass(frozen=True)
class Examiner:
    """Finds causes.

    Attributes
    ----------
    runner : Runner
    abi : Abi
    rule : Rule or None
    seed : int
    shrinking : float
        Seconds for making one finding's case smaller.
    """

    runner: Runner
    abi: Abi
    rule: Rule | None
    seed: int
    shrinking: float

    def findings(self, record: Record) -> list[Finding]:
        """Everything wrong in a record, the worst first."""
        found = [
            *self._deaths(record),
            *self._other_endings(record),
            *self._changed_inputs(record),
            *self._wrong_results(record),
        ]
        return list({(f.cause, f.words): f for f in reversed(found)}.values())[::-1]

    def dependence(self, found: Dependence) -> Finding:
        """A finding of something but the inputs that decides the result."""
        return Finding(found.cause, found.words, (found.evidence,), found.trial)

    def _deaths(self, record: Record) -> Iterator[Finding]:
        dead = record.of("signal")
        seen = set()
        for n in dead:
            call, outcome = record.calls[n], record.outcomes[n]
            key = (call.setting.at_end, outcome.number)
            if key in seen:
                continue
            seen.add(key)
            alone = self.runner.alone(Trial((call,)))
            if alone.kind != "signal":
                survived = f"a call that is survived alone ends the process after {n} others"
                words = f"crashes ({signal_name(outcome.number)}) after other calls"
                yield Finding("heap_corruption", words, (survived, *_text(outcome)), _alone(call))
                continue
            small = self._smallest(call, _number_is(outcome.number))
            alike = record.under(call.setting)
            evidence = self._symptom(alike, alike.of("signal"))
            for fault in explain_death(self.runner, small, outcome):
                yield Finding(fault.cause, fault.words, tuple(evidence), _alone(fault.call))

    def _other_endings(self, record: Record) -> Iterator[Finding]:
        for kind in ("hang", "exit", "raised", "returned", "refused late"):
            numbers = record.of(kind)
            if not numbers:
                continue
            call, outcome = record.calls[numbers[0]], record.outcomes[numbers[0]]
            evidence = [*self._symptom(record, numbers)]
            if kind == "hang":
                pass  # every further one costs its time limit
            elif self.runner.alone(Trial((call,))).kind != kind:
                evidence.append("the call alone does not show it: it takes the calls before")
            else:
                call = self._smallest(call, _kind_is(kind))
            words = {
                "hang": f"does not return: no end after {self.runner.limit:g} s, twice",
                "exit": f"ends the process: exit({outcome.number})",
                "raised": outcome.text,
                "returned": f"returns {outcome.number}, which is neither 0 nor KDQ_ABI_UNSUPPORTED",
                "refused late": "returns KDQ_ABI_UNSUPPORTED after it has written",
            }[kind]
            text = _text(outcome) if kind == "exit" else ()
            yield Finding(kind.replace(" ", "_"), words, (*evidence, *text), _alone(call))

    def _changed_inputs(self, record: Record) -> Iterator[Finding]:
        numbers = [n for n in record.of("done") if record.outcomes[n].changed]
        names = sorted({name for n in numbers for name in record.outcomes[n].changed})
        for name in names:
            first = next(n for n in numbers if name in record.outcomes[n].changed)
            call = self._smallest(record.calls[first], _changes(name))
            evidence = self._symptom(record, numbers)
            words = f"changes its input {shown(name)}"
            yield Finding("changes_input", words, tuple(evidence), _alone(call))

    def _wrong_results(self, record: Record) -> Iterator[Finding]:
        observations = record.observations()
        wrong = [n for n in record.of("done") if not observations[n].right]
        stable: list[int] = []
        dependent = False
        for n in _spread(wrong, _SAMPLED):
            before = [record.calls[k] for k in range(n) if record.outcomes[k].kind == "done"]
            found = unstable(self.runner, record.calls[n], before)
            if found is None:
                stable.append(n)
            else:
                dependent = True
                yield self.dependence(found)
        if not stable:
            return
        judged = [o for n, o in observations.items() if o.right or n in stable or not dependent]
        explanations = explain(judged, self.abi)
        call = self._smallest(record.calls[stable[0]], None)
        evidence = [f"wrong results: {len(wrong)} of {len(observations)} calls"]
        evidence += [line for line in self._symptom(record, wrong) if not dependent]
        evidence += self._example(call)
        if not explanations:
            words = "returns wrong results, and no known cause explains them"
            symptom = common_symptom(
                [o.call for o in observations.values()],
                [not o.right for o in observations.values()],
            )
            if symptom is not None and not dependent:
                words = f"wrong {symptom.words}"
            yield Finding(UNEXPLAINED, words, tuple(evidence), _alone(call))
            return
        yield self._explained(explanations, evidence, call)

    def _explained(
        self, explanations: list[Explanation], evidence: list[str], call: Call
    ) -> Finding:
        chosen = explanations[0]
        words, more = supporting(self.runner, self.abi, self.rule, self.seed, chosen)
        evidence = [
            *more,
            _agreement(chosen),
            *evidence,
        ]
        others = sorted({e.words for e in explanations} - {chosen.words})
        if others:
            evidence.append(f"as consistent: {'; '.join(others[:3])}")
        return Finding(chosen.name, words or chosen.words, tuple(evidence), _alone(call))

    def _example(self, call: Call) -> list[str]:
        outcome = self.runner.alone(Trial((call,)))
        if outcome.kind != "done":
            return []
        got, expected = outcome.outputs[0], compute(call.problem, call.memory())
        different = np.flatnonzero(got != expected)
        if not len(different):
            return []
        row, column = divmod(int(different[0]), max(call.problem.output_stride, 1))
        between = " (between rows)" if column >= call.problem.channels else ""
        at = int(different[0])
        return [f"there, row {row}, column {column}{between}: {got[at]} instead of {expected[at]}"]

    def _symptom(self, record: Record, numbers: Sequence[int]) -> list[str]:
        """When it happens, as far as one property tells."""
        ran = [n for n, o in enumerate(record.outcomes) if o.kind not in ("skipped", "refused")]
        bad = set(numbers)
        symptom = common_symptom([record.calls[n] for n in ran], [n in bad for n in ran])
        return [] if symptom is None else [symptom.sentence()]

    def _smallest(self, call: Call, same: Callable[[Outcome], bool] | None) -> Call:
        """The smallest call that fails alike; by default, that returns wrong results."""

        def failing(problems: Sequence[Problem]) -> list[bool]:
            calls = [replace(call, problem=problem) for problem in problems]
            outcomes = self.runner.run([_alone(c) for c in calls])
            if same is not None:
                return [same(outcome) for outcome in outcomes]
            return [
                outcome.kind == "done" and not is_right(c, outcome)
                for c, outcome in zip(calls, outcomes, strict=True)
            ]

        if not failing([call.problem])[0]:
            return call
        return replace(call, problem=smallest(call.problem, failing, self.shrinking))


def _agreement(chosen: Explanation) -> str:
    counts = f"{chosen.wrong} wrong and {chosen.right} right results"
    outside = f" ({chosen.undefined} call(s) outside the model)" if chosen.undefined else ""
    return f"a model of that returns the same bits for all {counts}{outside}"


def _number_is(number: int) -> Callable[[Outcome], bool]:
    return lambda outcome: outcome.number == number


def _kind_is(kind: str) -> Callable[[Outcome], bool]:
    return lambda outcome: outcome.kind == kind


def _changes(name: str) -> Callable[[Outcome], bool]:
    return lambda outcome: name in outcome.changed


def _alone(call: Call) -> Trial:
    return Trial((call,))


def _text(outcome: Outcome) -> tuple[str, ...]:
    return (f"it printed: {outcome.text.splitlines()[-1]}",) if outcome.text else ()


def _size(problem: Problem) -> int:
    return sum(array.size for array in problem.inputs.values()) + problem.output_size


def _spread(numbers: Sequence[int], count: int) -> list[int]:
    """The smallest ones and some in between."""
    if len(numbers) <= count:
        return list(numbers)
    half = count // 2
    return [*numbers[:half], *numbers[half :: max(1, (len(numbers) - half) // (count - half))]][
        :count
    ]
