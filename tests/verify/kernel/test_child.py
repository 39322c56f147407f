"""Child processes: every way to end is an answer."""

from __future__ import annotations

import os
import signal
import time

import pytest

from kdq_ref.errors import KernelUnavailableError
from kdq_ref.verify.kernel.child import Shared, run_in_child


def _run(work, limit: float = 30.0):
    shared = Shared(16)

    def whole() -> None:
        work(shared)
        shared.progress[1] = 1

    return run_in_child(whole, shared, limit), shared


def test_a_child_that_finishes_leaves_its_results() -> None:
    """What it wrote to shared memory is there, and nothing else of it."""
    local = []

    def work(shared: Shared) -> None:
        local.append(1)
        shared.bytes[3] = 7

    ending, shared = _run(work)
    assert (ending.kind, ending.number) == ("finished", 0)
    assert shared.bytes[3] == 7
    assert not local


@pytest.mark.parametrize("code", [0, 3])
def test_leaving_early_is_not_finishing(code: int) -> None:
    """Even with exit status 0."""
    ending, _ = _run(lambda shared: os._exit(code))
    assert (ending.kind, ending.number) == ("exit", code)


def test_a_killed_child_tells_the_signal_and_what_it_printed() -> None:
    """Its last words come along."""

    def work(shared: Shared) -> None:
        os.write(2, b"free(): invalid pointer\n")
        os.kill(os.getpid(), signal.SIGABRT)

    ending, _ = _run(work)
    assert (ending.kind, ending.number) == ("signal", signal.SIGABRT)
    assert ending.text == "free(): invalid pointer"


def test_no_progress_is_a_hang_and_progress_is_not() -> None:
    """Slow is not the same as stuck."""
    ending, _ = _run(lambda shared: time.sleep(600), limit=0.2)
    assert ending.kind == "hang"

    def slowly(shared: Shared) -> None:
        for step in range(6):
            shared.progress[0] = step
            time.sleep(0.2)

    assert _run(slowly, limit=20.0)[0].kind == "finished"


def test_an_exception_is_an_exit_with_words() -> None:
    """A bug in the child itself does not pass for a result."""
    ending, _ = _run(lambda shared: {}["missing"])
    assert ending.kind == "exit"
    assert "KeyError" in ending.text


def test_without_fork_the_error_says_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows gets a typed error."""
    monkeypatch.delattr(os, "fork")
    with pytest.raises(KernelUnavailableError, match="Linux or macOS"):
        _run(lambda shared: None)
