"""Threads hand back results in order, and stop when told."""

from __future__ import annotations

import threading
import time

import pytest

from kdq_ref.distill import Workers
from kdq_ref.errors import RangeError


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_in_order(threads: int) -> None:
    """Whoever finishes first, the order is that of the work."""

    def slow_first(n: int) -> int:
        time.sleep(0.002 * (n % 3 == 0))
        return n

    with Workers(threads) as workers:
        assert list(workers.map(slow_first, range(20))) == list(range(20))


def test_one_thread_is_the_callers() -> None:
    """With one thread nothing leaves it."""
    with Workers(1) as workers:
        assert (
            next(iter(workers.map(lambda _: threading.get_ident(), [0]))) == threading.get_ident()
        )


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_drops_the_rest(threads: int) -> None:
    """What the work raises reaches the caller, and what has not begun never does."""
    begun = []

    def work(n: int) -> None:
        begun.append(n)
        time.sleep(0.001)
        if n == 3:
            raise KeyError(n)

    def run() -> None:
        with Workers(threads) as workers:
            for _ in workers.map(work, range(1000)):
                pass

    with pytest.raises(KeyError):
        run()
    assert len(begun) < 500


def test_no_threads_is_an_error() -> None:
    """Zero threads would wait for ever."""
    with pytest.raises(RangeError):
        Workers(0)
