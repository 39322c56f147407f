"""When a kernel fails: the property of a call that goes with its failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kdq_ref.verify.kernel import pipeline
from kdq_ref.verify.kernel.abi import CONV2D, GEMM, REQUANTIZE
from kdq_ref.verify.kernel.problem import Problem
from kdq_ref.verify.kernel.trial import Call

_UNITS = (64, 32, 16, 8, 4, 2)
_FEWEST = 3
_COMMON = 0.75


@dataclass(frozen=True)
class Symptom:
    """A property of calls and how it goes with failing.

    Attributes
    ----------
    words : str
        "for K not a multiple of 4"
    failing, having, others : int
        Failures, calls that have the property, calls that have not (none of which fails).
    """

    words: str
    failing: int
    having: int
    others: int

    def sentence(self) -> str:
        """The evidence in words."""
        which = "all" if self.failing == self.having else f"{self.failing} of"
        return (
            f"only {self.words} ({which} {self.having} such calls fail; the {self.others} others "
            f"do not)"
        )


Property = tuple[str, Callable[[Call], bool]]


def common_symptom(calls: Sequence[Call], failed: Sequence[bool]) -> Symptom | None:
    """The property that all failing calls have and passing calls have least; None if none tells.

    Parameters
    ----------
    calls : sequence of Call
    failed : sequence of bool
    """
    bad = np.array(failed)
    best: Symptom | None = None
    if not bad.any() or bad.all():
        return None
    for words, holds in _properties(calls[0].problem):
        having = np.array([holds(call) for call in calls])
        if (bad & ~having).any() or having.all():
            continue
        symptom = Symptom(words, int(bad.sum()), int(having.sum()), int((~having).sum()))
        if best is None or symptom.having < best.having:
            best = symptom
    # A property that many of its bearers survive, or that nearly all calls have, says nothing.
    if best is None or best.failing < _FEWEST or 2 * best.failing < best.having:
        return None
    rarer = best.having <= _COMMON * len(bad)
    return best if rarer or best.failing == best.having else None


def _properties(problem: Problem) -> list[Property]:
    family = problem.abi.family
    sizes = {
        GEMM.c_type: {"m": "M", "n": "N", "k": "K"},
        REQUANTIZE.c_type: {"rows": "rows", "channels": "channels"},
        CONV2D.c_type: {"in_c": "in_c", "out_c": "out_c", "out_w": "out_w", "out_h": "out_h"},
    }[family.c_type]
    found: list[Property] = []
    for name, shown in sizes.items():
        for q in _UNITS:
            found.append((f"for {shown} not a multiple of {q}", _not_multiple(name, q)))
            found.append((f"for {shown} of at least {q}", _at_least(name, q)))
            found.append((f"for {shown} above {q}", _at_least(name, q + 1)))
            found.append((f"for {shown} below {q}", _below(name, q)))
        found.append((f"for {shown} = 0", _below(name, 1)))
        found.append((f"for {shown} = 1", _is_one(name)))
    for array, leading in family.leading.items():
        words = f"where rows of {array.upper()} have gaps ({leading} is more than a row)"
        found.append((words, _has_gaps(array, leading)))
    if family is CONV2D:
        for word in ("stride", "dilation"):
            found.append((f"for {word}s other than 1", _other_than_1(word)))
        found += [
            ("with padding", _padded),
            ("for more than one image", _at_least("batch", 2)),
            ("for more than one group", _at_least("groups", 2)),
        ]
    found.append(("where arrays begin at a guard", lambda c: not c.setting.at_end))
    found.append(("where arrays end at a guard", lambda c: c.setting.at_end))
    if family is not REQUANTIZE:
        found.append(("where the data hold -128", lambda c: bool((c.problem.data == -128).any())))
        found.append(("where weights hold -128", _weights_hold(-128)))
        found.append(("for negative zero points of the input", lambda c: c.problem.zero_point < 0))
        found.append(("for zero points of the input that are not 0", _zero_point))
        for bits in (15, 24):
            found.append((f"where a sum is beyond 2^{bits}", _sum_beyond(bits)))
    if problem.scaling is not None:
        found += _scaling_properties()
    return found


def _scaling_properties() -> list[Property]:
    def scaling(test: Callable[[Problem], bool]) -> Callable[[Call], bool]:
        return lambda call: test(call.problem)

    return [
        ("with a bias", scaling(lambda p: "bias" in p.inputs)),
        ("without a bias (NULL)", scaling(lambda p: "bias" not in p.inputs)),
        ("with one multiplier for all channels", scaling(lambda p: _multipliers(p) == 1)),
        ("with a multiplier per channel", scaling(lambda p: _multipliers(p) > 1)),
        ("with a narrow clamp", scaling(_narrow)),
        ("for negative zero points of the output", scaling(lambda p: _output_zero(p) < 0)),
        ("for zero points of the output that are not 0", scaling(lambda p: _output_zero(p) != 0)),
    ]


def _multipliers(problem: Problem) -> int:
    return 0 if problem.scaling is None else len(problem.scaling.real)


def _output_zero(problem: Problem) -> int:
    return 0 if problem.scaling is None else problem.scaling.zero_point


def _narrow(problem: Problem) -> bool:
    s = problem.scaling
    return s is not None and (s.qmin, s.qmax) != problem.abi.codes


def _not_multiple(name: str, q: int) -> Callable[[Call], bool]:
    return lambda call: call.problem.sizes[name] % q != 0


def _at_least(name: str, least: int) -> Callable[[Call], bool]:
    return lambda call: call.problem.sizes[name] >= least


def _is_one(name: str) -> Callable[[Call], bool]:
    return lambda call: call.problem.sizes[name] == 1


def _below(name: str, limit: int) -> Callable[[Call], bool]:
    return lambda call: call.problem.sizes[name] < limit


def _has_gaps(array: str, leading: str) -> Callable[[Call], bool]:
    def holds(call: Call) -> bool:
        problem = call.problem
        own = problem.inputs.get(array)
        columns = problem.channels if own is None else own.shape[1]
        return problem.sizes[leading] > columns

    return holds


def _other_than_1(word: str) -> Callable[[Call], bool]:
    return lambda call: any(call.problem.sizes[f"{word}_{d}"] != 1 for d in "hw")


def _padded(call: Call) -> bool:
    operands = pipeline.load(call.problem)
    return operands is not None and operands.padded is not None and bool(operands.padded.any())


def _weights_hold(code: int) -> Callable[[Call], bool]:
    return lambda c: bool((c.problem.inputs[c.problem.abi.family.weight] == code).any())


def _zero_point(call: Call) -> bool:
    return call.problem.zero_point != 0


def _sum_beyond(bits: int) -> Callable[[Call], bool]:
    def holds(call: Call) -> bool:
        operands = pipeline.load(call.problem)
        if operands is None:
            return False
        return bool((np.abs(pipeline.accumulate(operands)) >= 2**bits).any())

    return holds
