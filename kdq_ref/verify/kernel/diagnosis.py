"""Which defect explains what a kernel returned: every wrong result, and every right one."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdq_ref.errors import KdqError
from kdq_ref.verify.kernel.abi import Abi
from kdq_ref.verify.kernel.defects import Defect, operand_defects, store_defects
from kdq_ref.verify.kernel.pipeline import Step, Steps, compute
from kdq_ref.verify.kernel.scale_defects import finish_defects, scale_defects
from kdq_ref.verify.kernel.sum_defects import sum_defects
from kdq_ref.verify.kernel.trial import Call

_LONGEST_PAIRS = 6.0  # seconds of this process, however busy the machine


@dataclass(frozen=True)
class Observation:
    """What one call returned, and what it should have.

    Attributes
    ----------
    call : Call
    got, expected : (n,) ndarray
        The output with its gaps.
    """

    call: Call
    got: np.ndarray
    expected: np.ndarray

    @property
    def right(self) -> bool:
        """Whether they are equal."""
        return np.array_equal(self.got, self.expected)


@dataclass(frozen=True)
class Explanation:
    """Defects that together return what the kernel returned.

    Attributes
    ----------
    defects : tuple of Defect
    wrong, right : int
        Results that it reproduces: those that were wrong, and those that were right.
    undefined : int
        Results of calls that it does not describe.
    """

    defects: tuple[Defect, ...]
    wrong: int
    right: int
    undefined: int

    @property
    def steps(self) -> dict[str, Step]:
        """The steps that they replace."""
        return {name: step for defect in self.defects for name, step in defect.steps.items()}

    @property
    def name(self) -> str:
        """Their names."""
        return "+".join(defect.name for defect in self.defects)

    @property
    def words(self) -> str:
        """What is wrong."""
        return "; and ".join(defect.words for defect in self.defects)


def defects_for(abi: Abi) -> list[Defect]:
    """Every known defect of a calling convention, the plainest first."""
    known = [
        *operand_defects(),
        *sum_defects(),
        *scale_defects(),
        *finish_defects(),
        *store_defects(),
    ]
    return [defect for defect in known if defect.applies(abi)]


def explain(observations: Sequence[Observation], abi: Abi) -> list[Explanation]:
    """Return every single defect that explains all observations; failing that, every pair.

    Parameters
    ----------
    observations : sequence of Observation
    abi : Abi

    Returns
    -------
    list of Explanation
        The plainest first; empty if nothing known explains them.
    """
    # The smallest wrong results refute most models, and quickly.
    wrong = sorted((o for o in observations if not o.right), key=lambda o: o.expected.size)
    right = sorted((o for o in observations if o.right), key=lambda o: o.expected.size)
    if not wrong:
        return []
    candidates = defects_for(abi)
    singles = [(defect,) for defect in candidates]
    found = _consistent(singles, wrong, right, float("inf"))
    if found:
        return found
    pairs = [
        pair
        for pair in itertools.combinations(candidates, 2)
        if not pair[0].steps.keys() & pair[1].steps.keys()
    ]
    return _consistent(pairs, wrong, right, _LONGEST_PAIRS)


def _consistent(
    candidates: Sequence[tuple[Defect, ...]],
    wrong: Sequence[Observation],
    right: Sequence[Observation],
    seconds: float,
) -> list[Explanation]:
    until = time.process_time() + seconds
    found = []
    for defects in candidates:
        if time.process_time() > until:
            break
        steps = {name: step for defect in defects for name, step in defect.steps.items()}
        told = []
        for observation in (*wrong, *right):
            told.append(reproduces(steps, observation))
            if told[-1] is False:
                break
        else:
            # Where it is not defined, a model cannot be refuted: that must be the exception.
            explained, kept = told[: len(wrong)].count(True), told[len(wrong) :].count(True)
            if explained > len(wrong) // 2:
                found.append(Explanation(defects, explained, kept, told.count(None)))
    return found


def reproduces(steps: Steps, observation: Observation) -> bool | None:
    """Whether the model returns what the kernel did; None where it is not defined."""
    call = observation.call
    try:
        model = compute(call.problem, call.memory(), steps)
    except KdqError:
        return None
    return np.array_equal(model, observation.got)
