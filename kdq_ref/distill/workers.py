"""Threads for independent pieces of NumPy work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from kdq_ref.checks import check_positive_int

T = TypeVar("T")
R = TypeVar("R")


class Workers:
    """A pool of threads that hands results back in the order of the work.

    NumPy lets go of the interpreter lock inside its loops, so threads share the cores. What is
    computed, and in which order results are combined, does not depend on how many there are.

    Parameters
    ----------
    threads : int
        1 works in the caller's thread.
    """

    def __init__(self, threads: int) -> None:
        check_positive_int("threads", threads)
        self._pool = ThreadPoolExecutor(threads, "kdq") if threads > 1 else None

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield ``function(item)`` for every item, in order."""
        return map(function, items) if self._pool is None else self._pool.map(function, items)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drop what has not started (after an error), wait for what has."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
