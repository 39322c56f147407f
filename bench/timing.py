"""The timing protocol: everybody takes turns, round after round, in one process.

A neighbour on the machine or a change of clock then meets all alike; see bench/README.md.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Call = Callable[[], Any]

MAX_CALLS = 1 << 20

_SETTLE_STEP, _SETTLE_STEPS = 0.01, 50


@dataclass(frozen=True)
class Protocol:
    """How thoroughly to measure.

    Attributes
    ----------
    rounds : int
    min_seconds : float
        Each turn repeats the call until at least about this long has passed.
    settle : bool
        Whether to wait between turns until all threads of this process sleep. The workers of
        thread pools go on spinning after their work (OpenBLAS's and ONNX Runtime's for a tenth of
        a second) and would take the next one's processor.
    """

    rounds: int = 7
    min_seconds: float = 0.02
    settle: bool = False


@dataclass(frozen=True)
class Times:
    """Seconds per call: the best round's, and the median of the rounds."""

    best: float
    median: float


def interleave(calls: Sequence[Call], protocol: Protocol) -> list[Times]:
    """Time several calls, which take turns.

    Parameters
    ----------
    calls : sequence of callables without arguments
    protocol : Protocol

    Returns
    -------
    list of Times
        In the order of `calls`.
    """
    counts = []
    for call in calls:
        if protocol.settle:
            _settle()
        counts.append(_repetitions(call, protocol.min_seconds))
    seconds: list[list[float]] = [[] for _ in calls]
    enabled = gc.isenabled()
    gc.disable()
    try:
        for turn in range(protocol.rounds):
            # Who goes first changes: the caches and the clock are as the one before left them.
            for i in range(len(calls)):
                who = (i + turn) % len(calls)
                if protocol.settle:
                    _settle()
                seconds[who].append(_seconds(calls[who], counts[who]))
    finally:
        if enabled:
            gc.enable()
    return [Times(min(own), statistics.median(own)) for own in seconds]


def _settle() -> None:
    """Wait until this process uses next to no processor time, but not for ever."""
    for _ in range(_SETTLE_STEPS):
        before = time.process_time()
        time.sleep(_SETTLE_STEP)
        if time.process_time() - before < _SETTLE_STEP / 10:
            return


def _repetitions(call: Call, min_seconds: float) -> int:
    """How many calls last `min_seconds`; the calls made to find out are the warm-up."""
    call()
    count = 1
    while True:
        total = _seconds(call, count) * count
        if total >= min_seconds or count >= MAX_CALLS:
            return count
        # At most ten times more: a first call may have been slow for reasons of its own.
        wanted = int(count * 1.1 * min_seconds / max(total, 1e-9)) + 1
        count = min(wanted, count * 10, MAX_CALLS)


def _seconds(call: Call, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count
