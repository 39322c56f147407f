"""Work in a child process, whose crash, hang or exit is an answer and not the end."""

from __future__ import annotations

import contextlib
import faulthandler
import mmap
import os
import select
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

import numpy as np

from kdq_ref.errors import KernelUnavailableError

_LONGEST_TEXT = 2000
_FATAL = ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")


@dataclass(frozen=True)
class Ending:
    """How a child ended.

    Attributes
    ----------
    kind : str
        "finished"; "signal" or "exit", with ``number``; or "hang".
    number : int
    text : str
        What it printed.
    """

    kind: str
    number: int = 0
    text: str = ""


class Shared:
    """Memory that a child writes and its parent reads; the first number says how far it is."""

    def __init__(self, size: int) -> None:
        self._map = mmap.mmap(-1, 64 + max(size, 1))
        self.progress = np.frombuffer(self._map, np.int64, 8)
        self.bytes = np.frombuffer(self._map, np.uint8, size, 64)


def run_in_child(work: Callable[[], None], shared: Shared, limit: float) -> Ending:
    """Run ``work`` in a forked process.

    Parameters
    ----------
    work : callable
        Writes to ``shared``.
    shared : Shared
        ``progress[0]`` must change at least every ``limit`` seconds.
    limit : float
        Seconds.

    Raises
    ------
    KernelUnavailableError
        Where processes cannot be forked.
    """
    if not hasattr(os, "fork"):
        raise KernelUnavailableError(
            "kernels are verified in forked processes with guarded memory, which this operating "
            "system does not have; use Linux or macOS (or Windows' subsystem for Linux)"
        )
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as printed:
        sys.stdout.flush()
        sys.stderr.flush()
        # Ctrl-C would be lost in what Python runs at a fork, and is the parent's to answer.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with warnings.catch_warnings():
                # Python warns of locks that other threads hold; the child takes none of them.
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
        except BaseException:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            raise
        if child == 0:
            _be_child(work, printed)
        os.close(writing)
        hangs = True  # also when we are interrupted
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            hangs = _wait(reading, shared, limit)
        finally:
            os.close(reading)
            status = _reap(child, 0.0 if hangs else limit)
        printed.seek(0)
        text = printed.read(_LONGEST_TEXT).decode("utf-8", "replace").strip()
    if hangs:
        return Ending("hang", text=text)
    if os.WIFSIGNALED(status):
        return Ending("signal", os.WTERMSIG(status), text)
    code = os.WEXITSTATUS(status)
    return Ending("finished" if code == 0 and shared.progress[1] else "exit", code, text)


def _wait(reading: int, shared: Shared, limit: float) -> bool:
    """Wait for the child's end; whether it stopped making progress instead."""
    seen, since = -1, time.monotonic()
    while not select.select([reading], [], [], min(limit, 0.25))[0]:
        now = time.monotonic()
        if shared.progress[0] != seen:
            seen, since = int(shared.progress[0]), now
        elif now - since > limit:
            return True
    return False


def _reap(child: int, patience: float) -> int:
    """Return the child's status; end it unless it ends by itself soon."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.001)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _be_child(work: Callable[[], None], printed: IO[bytes]) -> None:
    status = 70
    try:
        faulthandler.disable()
        for name in _FATAL:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _no_core_file()
        for stream in (1, 2):
            os.dup2(printed.fileno(), stream)
        work()
        status = 0
    except BaseException as error:
        text = f"{type(error).__name__}: {error}\n"
        os.write(2, text.encode("utf-8", "backslashreplace"))
    finally:
        # No cleanup: what is registered for the exit belongs to the parent.
        os._exit(status)


def _no_core_file() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
