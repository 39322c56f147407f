"""Ctrl-C as a request: finish the batch, save, then stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """Raised by `StopRequest.check`; does not leave this package."""


class StopRequest:
    """While entered, the first SIGINT or SIGTERM only leaves a note.

    It also puts the former handlers back, so that a second one has its usual effect at once.
    Handlers are installed by the main thread only, and not over a signal that is ignored
    (a job started with ``nohup``).

    Attributes
    ----------
    signal_name : str or None
        What came.
    """

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self._former: dict[signal.Signals, Any] = {}

    def check(self) -> None:
        """Raise Stopped if a signal has come."""
        if self.signal_name is not None:
            raise Stopped

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                former = signal.getsignal(number)
                # None is a handler that was not installed from Python and cannot be put back.
                if former not in (signal.SIG_IGN, None):
                    self._former[number] = former
                    signal.signal(number, self._take_note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()

    def _take_note(self, number: int, frame: FrameType | None) -> None:
        self.signal_name = signal.Signals(number).name
        self._restore()

    def _restore(self) -> None:
        while self._former:
            number, former = self._former.popitem()
            signal.signal(number, former)
