"""Hypothesis looks for a failing call, if it is installed."""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from kdq_ref.rounding import Rule
from kdq_ref.verify.kernel.abi import Abi
from kdq_ref.verify.kernel.grid import drawn
from kdq_ref.verify.kernel.problem import Problem

T = TypeVar("T")
_EXAMPLES = 500


def available() -> bool:
    """Whether hypothesis is installed."""
    return importlib.util.find_spec("hypothesis") is not None


def failing_example(
    abi: Abi, rule: Rule | None, fails: Callable[[Problem], bool], until: float, seed: int
) -> Problem | None:
    """Return a failing call that hypothesis finds before ``until``; None if it finds none.

    Only if it is :func:`available`.

    Parameters
    ----------
    abi : Abi
    rule : Rule or None
    fails : callable
    until : float
        Of ``time.monotonic``.
    seed : int
        The same seed, the same calls.
    """
    import hypothesis
    from hypothesis import strategies as st

    failing: list[Problem] = []

    class Found(Exception):
        """A failing example."""

    class OutOfTime(BaseException):
        """The time is up; as no Exception, it ends hypothesis at once."""

    class Drawing:
        """Choices of hypothesis."""

        def __init__(self, data: Any) -> None:
            self._data = data
            self.rng = np.random.default_rng([seed, data.draw(st.integers(0, 2**32 - 1))])

        def of(self, options: Sequence[T]) -> T:
            return self._data.draw(st.sampled_from(options))

        def between(self, low: int, high: int) -> int:
            return self._data.draw(st.integers(low, high))

    @hypothesis.seed(seed)
    @hypothesis.settings(
        database=None,
        deadline=None,
        max_examples=_EXAMPLES,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(st.data())
    def search(data: Any) -> None:
        # Drawn to the end, and failing again what has failed: or hypothesis complains.
        problem = drawn(Drawing(data), abi, rule)
        if not failing and time.monotonic() > until:
            raise OutOfTime
        if fails(problem):
            failing.append(problem)
            raise Found

    # Flaky: a call that does not always fail, or a time that is up between two draws.
    with contextlib.suppress(OutOfTime, Found, hypothesis.errors.Flaky):
        search()
    return failing[-1] if failing else None
