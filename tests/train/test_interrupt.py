"""Signals become requests, once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from kdq_ref.train.interrupt import SIGNALS, Stopped, StopRequest

received: list[int] = []


def _former(number: int, frame: FrameType | None) -> None:
    received.append(number)


@pytest.fixture(autouse=True)
def _own_handlers() -> Iterator[None]:
    """Stand in for whatever handled signals before, and put that back."""
    received.clear()
    saved = {number: signal.signal(number, _former) for number in SIGNALS}
    yield
    for number, handler in saved.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_is_noted_the_second_is_not_ours(number: signal.Signals) -> None:
    """After one signal the former handlers are back, for both signals."""
    with StopRequest() as stop:
        stop.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Stopped):
            stop.check()
        assert stop.signal_name == number.name
        assert received == []
        for other in SIGNALS:
            os.kill(os.getpid(), other)
        assert received == list(SIGNALS)


def test_handlers_are_restored() -> None:
    """Without any signal, and after an error, the former handlers are back."""

    def fail() -> None:
        with StopRequest():
            assert signal.getsignal(signal.SIGINT) is not _former
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [signal.getsignal(number) for number in SIGNALS] == [_former, _former]


def test_an_ignored_signal_stays_ignored() -> None:
    """A job that was told to ignore SIGINT goes on ignoring it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        stop.check()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is not _former


def test_other_threads_install_nothing() -> None:
    """Only the main thread may touch handlers; elsewhere it is a request that never comes."""
    seen = []

    def work() -> None:
        with StopRequest() as stop:
            seen.append(signal.getsignal(signal.SIGINT))
            stop.check()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [_former]
