"""Where a call that was killed had gone: which array, which end, how far, reading or writing.

No handler runs in the dying process. The call is repeated with room between arrays and their
guards: what keeps it alive tells what it touched.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kdq_ref.verify.kernel.trial import Call, Outcome, Runner, Setting, Trial

_ROOM = 16384
"""Bytes beyond an array that are looked at."""
_ALIGNED = 64
_HEAP_WORDS = ("free()", "malloc", "realloc()", "corrupt", "double free", "invalid", "munmap_chunk")


@dataclass(frozen=True)
class Fault:
    """A cause, in words, and the call that shows it."""

    cause: str
    words: str
    call: Call


Dies = Callable[[Call], bool]


def signal_name(number: int) -> str:
    """``SIGSEGV`` for 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def shown(array: str) -> str:
    """An array as verdicts call it."""
    return array.upper() if len(array) == 1 else array


def explain_death(runner: Runner, call: Call, outcome: Outcome) -> list[Fault]:
    """Return what a call did that ended its process.

    Parameters
    ----------
    runner : Runner
    call : Call
        Died alone, too.
    outcome : Outcome
        Of kind "signal".
    """

    def dies(changed: Call) -> bool:
        return runner.alone(Trial((changed,))).kind == "signal"

    if outcome.number == signal.SIGABRT:
        return [_aborted(call, outcome)]
    if outcome.number not in (signal.SIGSEGV, signal.SIGBUS) or dies(_with(call, {"*": _ROOM})):
        return [_misaligned(call, dies) or _anywhere(call, outcome)]
    faults = [_beyond(call, name, dies) for name in _arrays(call)]
    known = [fault for fault in faults if fault is not None]
    return known or [Fault("out_of_bounds", "touches memory outside its arrays", call)]


def _with(call: Call, slack: dict[str, int], *, readable: bool = False) -> Call:
    return replace(call, setting=replace(call.setting, slack=slack, readable=readable))


def _beyond(call: Call, name: str, dies: Dies) -> Fault | None:
    """Whether, and how far, it leaves one array; the others have room."""
    only = {"*": _ROOM, name: 0}
    if not dies(_with(call, only)):
        return None
    writes = dies(_with(call, only, readable=True))
    unit = _unit(call, name)
    low, high = 0, _ROOM // unit  # dies with low units of room, lives with high
    while high - low > 1:
        middle = (low + high) // 2
        if dies(_with(call, {**only, name: middle * unit})):
            low = middle
        else:
            high = middle
    place = "past" if call.setting.at_end else "before"
    verb, count = "writes" if writes else "reads", high * unit
    words = f"{verb} {count} byte{'s' * (count > 1)} {place} {shown(name)}"
    return Fault(f"{verb}_{place}_{name}", words, _with(call, only))


def _aborted(call: Call, outcome: Outcome) -> Fault:
    last = outcome.text.splitlines()[-1] if outcome.text else ""
    if any(word in last for word in _HEAP_WORDS):
        return Fault("heap_corruption", f"corrupts the heap: {last}", call)
    return Fault("abort", f"aborts (SIGABRT): {last}".removesuffix(": "), call)


def _anywhere(call: Call, outcome: Outcome) -> Fault:
    name = signal_name(outcome.number)
    return Fault("crash", f"crashes ({name}), and not at the bounds of an array", call)


def _misaligned(call: Call, dies: Dies) -> Fault | None:
    """Whether it lives where all rows of all arrays are aligned, and not where one's are not."""
    leading = call.problem.abi.family.leading
    wide = {ld: -(-call.problem.sizes[ld] // _ALIGNED) * _ALIGNED for ld in leading.values()}

    def on_pages(sizes: dict[str, int], slack: dict[str, int]) -> Call:
        problem = replace(call.problem, sizes={**call.problem.sizes, **sizes})
        return Call(problem, Setting(at_end=False, slack=slack))

    if dies(on_pages(wide, {})):
        return None
    for name in _arrays(call):
        tries = [on_pages(wide, {name: _unit(call, name)})]
        if name in leading:
            odd = wide[leading[name]] + 1
            tries.append(on_pages({**wide, leading[name]: odd}, {}))
        for tried in tries:
            if dies(tried):
                words = f"needs {shown(name)} to be aligned: crashes where it is not"
                return Fault("alignment", words, tried)
    return None


def _arrays(call: Call) -> list[str]:
    return [*call.problem.arrays, call.problem.abi.family.output, "scratch"]


def _unit(call: Call, name: str) -> int:
    if name == "scratch":
        return 1
    known = call.problem.arrays
    dtype = known[name].dtype if name in known else np.dtype(call.problem.abi.output)
    return int(dtype.itemsize)
