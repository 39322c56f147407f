"""``Crew``: threads that run parts of something at once, and stay awake for a moment after."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from kdq_ref.kernels.core import ffi, lib


class Part(Protocol):
    """A bound run of one thread: :class:`BoundPlan` or :class:`BoundShare`."""

    part: Any

    def __call__(self) -> None:
        """Run it."""

    def check(self) -> None:
        """Raise what was wrong with the last run."""


def _do_nothing() -> None:
    pass


class Crew:
    """Threads that take parts of a run; the caller's thread takes one, too.

    Each thread waits for parts at a seat in C, spinning for 0.2 ms after the last one: runs that
    follow each other do not pay for waking it. One run at a time; others wait.

    Parameters
    ----------
    helpers : int
        Threads beside the caller's. They are started when they are first needed.
    """

    def __init__(self, helpers: int) -> None:
        self._helpers = helpers
        # Two runs at a time would need two seats for each thread.
        self._turn = threading.Lock()
        self._man()

    def _man(self) -> None:
        self._pool = ThreadPoolExecutor(self._helpers, "kdq-crew") if self._helpers else None
        self._seats = [ffi.new("kdq_seat *") for _ in range(self._helpers)]
        self._held: Sequence[Part] = ()
        self._process = os.getpid()

    def run(
        self,
        parts: Sequence[Part],
        *,
        start: Callable[[], None] = _do_nothing,
        give_up: Callable[[], None] = _do_nothing,
    ) -> None:
        """Run all parts at once, each in a thread of its own, and wait for them.

        Parameters
        ----------
        parts : sequence of BoundPlan or BoundShare
            At most one for each helper and one for the caller.
        start, give_up : callable
            Called before the first part begins; and where one cannot begin, so that those that
            wait for it return.

        Raises
        ------
        RuntimeError
            If a thread cannot be started. The next run tries again.
        """
        with self._turn:
            if self._process != os.getpid():  # a fork copies the seats, and no threads
                self._man()
            self._settle()  # an interruption may have left a part behind
            self._held = parts  # C has only pointers
            start()
            try:
                for seat, part in zip(self._seats, parts[1:], strict=False):
                    self._hand_over(seat, part)
                parts[0]()
                for seat in self._seats:
                    lib.kdq_seat_join(seat)
            except BaseException:  # no thread may write where the caller no longer expects it
                give_up()
                self._settle()
                # A pool whose thread could not start has queued its work all the same, and from
                # then on miscounts its idle threads.
                self._man()
                raise
        for part in parts[1:]:
            part.check()

    def _hand_over(self, seat: Any, part: Part) -> None:
        if lib.kdq_seat_post(seat, part.part):
            assert self._pool is not None
            self._pool.submit(lib.kdq_seat_serve, seat)

    def _settle(self) -> None:
        for seat in self._seats:
            lib.kdq_seat_withdraw(seat)
            lib.kdq_seat_join(seat)
