"""Calls under controlled conditions, run in child processes; what each left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from kdq_ref.errors import KernelUnavailableError
from kdq_ref.verify.kernel.abi import SCRATCH_ALIGNMENT, UNSUPPORTED
from kdq_ref.verify.kernel.child import Shared, run_in_child
from kdq_ref.verify.kernel.fence import Fenced
from kdq_ref.verify.kernel.problem import Problem

_HEADER = 64
_RETURNED = 1  # the call came back
LARGEST_SCRATCH = 1 << 30


@dataclass(frozen=True)
class Setting:
    """What surrounds a call; a right kernel does not notice.

    Attributes
    ----------
    at_end : bool
        Whether arrays end at a guard, or begin at one.
    output_fill, scratch_fill, stack_fill, heap_fill : int
        Byte that memory holds before the call.
    slack : mapping of str to int
        Bytes between an array and its guard; "*" is for all that are not named.
    readable : bool
        Whether guards may be read.
    """

    at_end: bool = True
    output_fill: int = 0xA5
    scratch_fill: int = 0xA5
    stack_fill: int = 0xA5
    heap_fill: int = 0xA5
    slack: Mapping[str, int] = field(default_factory=dict)
    readable: bool = False

    def fence(self, name: str, array: np.ndarray, align: int = 1) -> Fenced:
        """Copy an array to fenced memory."""
        return Fenced(
            array,
            at_end=self.at_end,
            slack=self.slack.get(name, self.slack.get("*", 0)),
            align=align,
            readable=self.readable,
        )


@dataclass(frozen=True)
class Call:
    """One problem, one setting."""

    problem: Problem
    setting: Setting = Setting()

    def memory(self) -> np.ndarray:
        """What the output holds before the call."""
        problem = self.problem
        dtype = np.dtype(problem.abi.output)
        raw = np.full(problem.output_size * dtype.itemsize, self.setting.output_fill, np.uint8)
        return raw.view(dtype)


@dataclass(frozen=True)
class Trial:
    """Calls in one process, one after the other or at once."""

    calls: tuple[Call, ...]
    together: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a trial did.

    Attributes
    ----------
    kind : str
        "done"; "refused" (a call returned KDQ_ABI_UNSUPPORTED); "refused late" (it had written
        before); "returned" (some other ``number``); "raised" (a Python callable, with ``text``);
        "signal", "exit" (``number``); "hang"; "skipped", because too many before it had ended their
        process.
    number : int
    text : str
    outputs : list of ndarray
        One per call, gaps included, if "done".
    changed : tuple of str
        Inputs that did not stay as they were.
    call : int
        Which of the calls ended it.
    """

    kind: str
    number: int = 0
    text: str = ""
    outputs: tuple[np.ndarray, ...] = ()
    changed: tuple[str, ...] = ()
    call: int = 0


@dataclass
class Prepared:
    """A call with its arrays in fenced memory, in the child."""

    call: Call
    arrays: dict[str, Fenced]
    output: Fenced
    scratch: Fenced | None = None
    number: int = 0

    def free(self) -> None:
        """Give the memory back."""
        for fenced in (*self.arrays.values(), self.output, self.scratch):
            if fenced is not None:
                fenced.free()

    def changed(self) -> list[bool]:
        """For every array, whether it changed."""
        originals = self.call.problem.arrays
        return [
            fenced.array.tobytes() != originals[name].tobytes()
            for name, fenced in self.arrays.items()
        ]


class Target(Protocol):
    """What is verified."""

    def scratch_bytes(self, problem: Problem) -> int:
        """Bytes of scratch memory that a call needs."""

    def invoke(self, calls: Sequence[Prepared]) -> None:
        """Make the calls, all at once, and set the ``number`` of each."""


def prepare(target: Target, call: Call) -> Prepared:
    """Put a call's arrays into fenced memory."""
    setting, problem = call.setting, call.problem
    arrays = {name: setting.fence(name, array) for name, array in problem.arrays.items()}
    ready = Prepared(call, arrays, setting.fence(problem.abi.family.output, call.memory()))
    size = target.scratch_bytes(problem)
    if not 0 <= size <= LARGEST_SCRATCH:
        raise ValueError(f"the kernel asked for {size} bytes of scratch memory")
    if size:
        fill = np.full(size, setting.scratch_fill, np.uint8)
        ready.scratch = setting.fence("scratch", fill, SCRATCH_ALIGNMENT)
    return ready


class CallableFailed(Exception):
    """A Python callable raised, or returned something that is no result."""


class Runner:
    """Runs trials, each batch in as few processes as the kernel allows.

    Parameters
    ----------
    target : Target
    limit : float
        Seconds after which a trial hangs.
    most_deaths : int
        After so many ended processes, the rest of a batch is skipped.
    """

    def __init__(self, target: Target, limit: float, most_deaths: int = 24) -> None:
        self.target = target
        self.limit = limit
        self.most_deaths = most_deaths
        self.trials = 0

    def run(self, trials: Sequence[Trial]) -> list[Outcome]:
        """Run trials in order, in one process unless it ends early; one outcome for each.

        Raises
        ------
        KernelUnavailableError
            If the system gave no memory or no thread for a call.
        """
        outcomes: list[Outcome] = []
        deaths = hangs = 0
        while len(outcomes) < len(trials):
            if deaths >= self.most_deaths or hangs >= 2:
                outcomes += [Outcome("skipped")] * (len(trials) - len(outcomes))
                break
            rest = trials[len(outcomes) :]
            done = self._run_in_one(rest)
            if done[-1].kind == "hang":  # or the machine was busy: once more, with what was before
                done = self._run_in_one(rest[: len(done)])
            outcomes += done
            ended = [o.kind for o in done if o.kind in ("signal", "exit", "hang")]
            deaths += len(ended)
            hangs += ended.count("hang")
        self.trials += sum(outcome.kind != "skipped" for outcome in outcomes)
        return outcomes

    def alone(self, trial: Trial) -> Outcome:
        """Run one trial in a process of its own."""
        return self.run([trial])[0]

    def _run_in_one(self, trials: Sequence[Trial]) -> list[Outcome]:
        slots = _Slots(trials)
        ending = run_in_child(lambda: self._perform(trials, slots), slots.shared, self.limit)
        if slots.shared.progress[3]:
            raise KernelUnavailableError(
                f"a call could not be made: {ending.text}; nothing is known of the kernel: "
                f"allow this process more memory, or more threads (ulimit -a)"
            )
        count = len(trials) if ending.kind == "finished" else int(slots.shared.progress[0])
        outcomes = [slots.read(n, trial) for n, trial in enumerate(trials[:count])]
        if ending.kind != "finished":
            call = int(slots.shared.progress[2])
            outcomes.append(Outcome(ending.kind, ending.number, ending.text, call=call))
        return outcomes

    def _perform(self, trials: Sequence[Trial], slots: _Slots) -> None:
        progress = slots.shared.progress
        for number, trial in enumerate(trials):
            progress[0] = number
            groups = [trial.calls] if trial.together else [(call,) for call in trial.calls]
            place = 0
            for group in groups:
                progress[2] = place
                self._perform_group(group, slots, number, place)
                place += len(group)
        progress[1] = 1

    def _perform_group(
        self, group: tuple[Call, ...], slots: _Slots, number: int, place: int
    ) -> None:
        progress = slots.shared.progress
        try:
            calls = [prepare(self.target, call) for call in group]
            self.target.invoke(calls)
        except CallableFailed as failure:
            slots.fail(number, place, str(failure))
        except (OSError, MemoryError):  # of mmap, of starting a thread
            progress[3] = 1
            raise
        else:
            for offset, ready in enumerate(calls):
                slots.write(number, place + offset, ready)
        for ready in calls:
            ready.free()


class _Slots:
    """Where a child leaves the result of every call of every trial."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._at: list[list[int]] = []
        position = 0
        for trial in trials:
            places = []
            for call in trial.calls:
                places.append(position)
                room = max(call.memory().nbytes, 512)
                position += _HEADER + -(-room // _HEADER) * _HEADER
            self._at.append(places)
        self.shared = Shared(position)

    def _slot(self, number: int, place: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        start = self._at[number][place]
        head = self.shared.bytes[start : start + _HEADER].view(np.int64)
        return head, self.shared.bytes[start + _HEADER : start + _HEADER + size]

    def write(self, number: int, place: int, ready: Prepared) -> None:
        """Record a call that came back."""
        raw = ready.output.array.view(np.uint8)
        head, body = self._slot(number, place, raw.size)
        body[:] = raw
        head[1] = ready.number
        head[2] = sum(1 << n for n, changed in enumerate(ready.changed()) if changed)
        head[0] = _RETURNED

    def fail(self, number: int, place: int, text: str) -> None:
        """Record a call that raised."""
        raw = np.frombuffer(text.encode("utf-8", "backslashreplace")[:512], np.uint8)
        head, body = self._slot(number, place, raw.size)
        body[:] = raw
        head[0], head[1] = 2, raw.size

    def read(self, number: int, trial: Trial) -> Outcome:
        """Make one outcome of a trial's calls."""
        outputs: list[np.ndarray] = []
        changed: dict[str, None] = {}
        for place, call in enumerate(trial.calls):
            memory = call.memory()
            head, body = self._slot(number, place, memory.nbytes)
            if head[0] == 2:
                text = self._slot(number, place, int(head[1]))[1].tobytes().decode(errors="replace")
                return Outcome("raised", text=text, call=place)
            returned = int(head[1])
            if returned != 0:
                kind = "refused" if returned == UNSUPPORTED else "returned"
                if kind == "refused" and (head[2] or body.tobytes() != memory.tobytes()):
                    kind = "refused late"
                return Outcome(kind, returned, call=place)
            outputs.append(body.copy().view(memory.dtype))
            names = list(call.problem.arrays)
            changed.update(dict.fromkeys(n for i, n in enumerate(names) if head[2] >> i & 1))
        return Outcome("done", outputs=tuple(outputs), changed=tuple(changed))
