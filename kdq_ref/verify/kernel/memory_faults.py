"""Where a call that was killed had gone: which array, which end, how far, reading or writing.

No handler runs in the dying process. The call is repeated with room between arrays and their guards:
what keeps it alive tells what it touched.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace

import numpy as np

from kdq_ref.verify.kernel.trial import Call, Outcome, Runner, Setting, Trial, arrays_of

_ROOM = 16384
"""Bytes beyond an array that are looked at."""


@dataclass(frozen=True)
class Fault:
    """A cause, in words, and the setting that shows it."""

    cause: str
    words: str
    setting: Setting


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

    def dies(setting: Setting) -> bool:
        return runner.alone(Trial((Call(call.problem, setting),))).kind == "signal"

    setting = call.setting
    room = replace(setting, slack={"*": _ROOM})
    if outcome.number not in (signal.SIGSEGV, signal.SIGBUS) or dies(room):
        return [_elsewhere(call, outcome, dies)]
    faults = []
    for name in _arrays(call):
        only = {"*": _ROOM, name: 0}
        if not dies(replace(setting, slack=only)):
            continue
        writes = dies(replace(setting, slack=only, readable=True))
        unit = _unit(call, name)
        low, high = 0, _ROOM // unit  # dies with low units of room, lives with high
        while high - low > 1:
            middle = (low + high) // 2
            if dies(replace(setting, slack={**only, name: middle * unit})):
                low = middle
            else:
                high = middle
        place = "past" if setting.at_end else "before"
        verb = "writes" if writes else "reads"
        count = high * unit
        words = f"{verb} {count} byte{'s' * (count > 1)} {place} {shown(name)}"
        faults.append(Fault(f"{verb}_{place}_{name}", words, replace(setting, slack=only)))
    return faults or [Fault("out_of_bounds", "touches memory outside its arrays", setting)]


def _elsewhere(call: Call, outcome: Outcome, dies: object) -> Fault:
    name = signal_name(outcome.number)
    if outcome.number == signal.SIGABRT:
        text = f": {outcome.text.splitlines()[-1]}" if outcome.text else ""
        return Fault("abort", f"aborts (SIGABRT){text}", call.setting)
    pages = Setting(at_end=False)  # every array at the start of a page
    assert callable(dies)
    if call.setting != pages and not dies(pages):
        for array in _arrays(call):
            unit = _unit(call, array)
            moved = replace(pages, slack={array: unit})
            if dies(moved):
                words = f"needs {shown(array)} to be aligned: crashes at an address of {unit} mod 16"
                return Fault("alignment", words, moved)
    return Fault("crash", f"crashes ({name}), and not at the bounds of an array", call.setting)


def _arrays(call: Call) -> list[str]:
    return [*arrays_of(call.problem), call.problem.abi.family.output, "scratch"]


def _unit(call: Call, name: str) -> int:
    if name == "scratch":
        return 1
    known = arrays_of(call.problem)
    dtype = known[name].dtype if name in known else np.dtype(call.problem.abi.output)
    return int(dtype.itemsize)
