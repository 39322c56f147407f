"""Hypothesis finds what fails, ends in time, and repeats itself."""

from __future__ import annotations

import time

import pytest

from kdq_ref.verify.kernel import property_search
from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.problem import Problem
from kdq_ref.verify.kernel.property_search import failing_example

ABI = get_abi("gemm_s8s8s32")


def _soon() -> float:
    return time.monotonic() + 60.0


def test_a_failing_call_is_found() -> None:
    """The same one for the same seed."""

    def fails(problem: Problem) -> bool:
        return problem.sizes["k"] > 4 and problem.sizes["lda"] > problem.sizes["k"]

    first, second = (failing_example(ABI, None, fails, _soon(), 3) for _ in range(2))
    assert first is not None
    assert second is not None
    assert fails(first)
    assert first.sizes == second.sizes


def test_nothing_fails_nothing_is_found() -> None:
    """Nor is anything called when the time is up."""
    assert failing_example(ABI, None, lambda problem: False, _soon(), 0) is None
    asked: list[Problem] = []
    failing_example(ABI, None, lambda p: bool(asked.append(p)), time.monotonic() - 1, 0)
    assert asked == []


def test_the_time_may_run_out_in_the_middle() -> None:
    """Hypothesis must not take that for a call that cannot make up its mind."""

    def fails_after_a_while(problem: Problem) -> bool:
        time.sleep(0.002)
        return False

    for seed in range(5):
        until = time.monotonic() + 0.1
        assert failing_example(ABI, None, fails_after_a_while, until, seed) is None


def test_a_failure_that_comes_and_goes_is_still_one() -> None:
    """Hypothesis calls it flaky."""
    answers = iter([True, *[False] * 1000])
    assert failing_example(ABI, None, lambda problem: next(answers), _soon(), 0) is not None


def test_without_hypothesis_there_is_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """And verification says so."""
    from kdq_ref import intref
    from kdq_ref.verify import verify_callable

    monkeypatch.setattr(property_search.importlib.util, "find_spec", lambda name: None)
    verdict = verify_callable(intref.gemm, abi="gemm_s8s8s32", seconds=0)
    assert verdict.passed
    assert "not tried: drawn calls, hypothesis, which is not installed" in verdict.lines()[2]
