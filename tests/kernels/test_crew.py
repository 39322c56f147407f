"""Threads that wait for parts: every part is run once, whatever happens in between."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest
from strategies.plans import residual_network

from kdq_ref import kernels
from kdq_ref.kernels.bound import BoundPlan
from kdq_ref.kernels.core import ffi, lib

pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)

HELPERS = 3


class _Work:
    """As many bound plans as there are threads, and the results that they should have."""

    def __init__(self, parts: int, images: int = 2) -> None:
        net = residual_network(1)
        self.plan = net.plan(len(net.ops))
        self.x = [net.images(images, np.int8).copy() for _ in range(parts)]
        for i, x in enumerate(self.x):
            x[...] = np.roll(x, i)
        self.out = [np.zeros((images, *self.plan.output_shape), np.int8) for _ in range(parts)]
        self.want = [net.reference(x, len(net.ops)) for x in self.x]
        self.bound = [
            self.plan.bind(x, out, np.empty(self.plan.arena_bytes, np.uint8))
            for x, out in zip(self.x, self.out, strict=True)
        ]

    def check(self) -> None:
        """All parts have been run since the last check."""
        for out, want in zip(self.out, self.want, strict=True):
            np.testing.assert_array_equal(out, want)
            out[...] = want + 1


@pytest.mark.parametrize("parts", range(1, HELPERS + 2))
@pytest.mark.parametrize("pause", [0.0, 0.0002, 0.002], ids=["awake", "dozing", "asleep"])
def test_every_part_is_run(parts: int, pause: float) -> None:
    """By threads that are awake, about to fall asleep, asleep; fewer parts than threads, too."""
    crew, work = kernels.Crew(HELPERS), _Work(parts)
    for _ in range(50):
        crew.run(work.bound)
        work.check()
        time.sleep(pause)


def test_callers_take_turns() -> None:
    """Runs of several callers never meet at a seat."""
    crew, wrong = kernels.Crew(HELPERS), []

    def call() -> None:
        work = _Work(HELPERS + 1)
        for _ in range(40):
            crew.run(work.bound)
            wrong.extend(
                not np.array_equal(*pair) for pair in zip(work.out, work.want, strict=True)
            )

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(wrong) == 4 * 40 * (HELPERS + 1)
    assert not any(wrong)


class _Interrupted:
    """The caller's own part, and Ctrl-C while it runs."""

    part = None

    def __call__(self) -> None:
        raise KeyboardInterrupt

    def check(self) -> None:
        """Never asked: it did not end."""
        raise AssertionError


@pytest.mark.parametrize("images", [1, 200])
def test_after_an_interruption_no_thread_writes(images: int) -> None:
    """What others have begun is finished, what they have not is withdrawn, when it is raised."""
    crew, work = kernels.Crew(HELPERS), _Work(HELPERS, images)
    parts: list[Any] = [_Interrupted(), *work.bound]
    for _ in range(10):
        with pytest.raises(KeyboardInterrupt):
            crew.run(parts)
        before = [out.copy() for out in work.out]
        time.sleep(0.005)
        for out, earlier in zip(work.out, before, strict=True):
            np.testing.assert_array_equal(out, earlier)
        crew.run(work.bound)
        work.check()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("pause", [0.0, 0.02], ids=["awake", "asleep"])
def test_a_forked_process_has_threads_of_its_own(pause: float) -> None:
    """A fork copies seats and no threads: those that seem to wait there would never come."""
    crew, work = kernels.Crew(1), _Work(2)
    crew.run(work.bound)
    time.sleep(pause)
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # ends a process that waits for ever
        try:
            for out in work.out:
                out[...] = 0
            crew.run(work.bound)
            work.check()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    crew.run(work.bound)
    work.check()


def test_what_went_wrong_in_a_thread_is_raised() -> None:
    """An error of a part that another thread ran reaches the caller."""

    class Failing(BoundPlan):
        def check(self) -> None:
            raise ArithmeticError("of another thread")

    crew, work = kernels.Crew(HELPERS), _Work(2)
    failing = Failing(None, work.plan._plan, work.x[1], work.out[1], np.empty(10**6, np.uint8))
    with pytest.raises(ArithmeticError, match="another thread"):
        crew.run([work.bound[0], failing])
    work.check()


def test_a_part_is_run_once_though_two_threads_serve_its_seat() -> None:
    """As may happen when a part was withdrawn before the thread that was woken for it came."""
    work, seat, threads = _Work(1), ffi.new("kdq_seat *"), []
    for _ in range(200):
        for _ in range(2 * lib.kdq_seat_post(seat, work.bound[0].part)):
            threads.append(threading.Thread(target=lib.kdq_seat_serve, args=(seat,)))
            threads[-1].start()
        lib.kdq_seat_join(seat)
        work.check()
        time.sleep(0.0001)
        np.testing.assert_array_equal(work.out[0], work.want[0] + 1)
    for thread in threads:
        thread.join()
    assert seat.state == 0


def test_what_is_withdrawn_is_not_run() -> None:
    """A thread that comes too late finds nothing and goes back to sleep."""
    work, seat = _Work(1), ffi.new("kdq_seat *")
    assert lib.kdq_seat_post(seat, work.bound[0].part) == 1
    lib.kdq_seat_withdraw(seat)
    lib.kdq_seat_join(seat)
    lib.kdq_seat_serve(seat)
    assert seat.state == 0
    assert not work.out[0].any()
