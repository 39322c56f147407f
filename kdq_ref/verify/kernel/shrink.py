"""From a call that fails to the smallest one that fails alike."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence

from kdq_ref.verify.kernel.problem import Problem
from kdq_ref.verify.kernel.reductions import reductions

_TOGETHER = 24  # candidates per child process
_MOST_STEPS = 300

Failing = Callable[[Sequence[Problem]], list[bool]]


def smallest(problem: Problem, failing: Failing, seconds: float) -> Problem:
    """Reduce a failing call, always taking the first reduction that still fails.

    Deterministic unless it runs out of time.

    Parameters
    ----------
    problem : Problem
    failing : callable
        Whether each of several calls fails as this one does.
    seconds : float
    """
    until = time.monotonic() + seconds
    for _ in range(_MOST_STEPS):
        found = _first_smaller(problem, failing, until)
        if found is None:
            return problem
        problem = found
    return problem


def _first_smaller(problem: Problem, failing: Failing, until: float) -> Problem | None:
    candidates = reductions(problem)
    while time.monotonic() < until:
        some = list(itertools.islice(candidates, _TOGETHER))
        if not some:
            return None
        for candidate, fails in zip(some, failing(some), strict=True):
            if fails:
                return candidate
    return None
