"""Trials: every call gets its outcome, whatever the one before did."""

from __future__ import annotations

import ctypes
import os
import time
from dataclasses import replace

import numpy as np
import pytest

from kdq_ref.errors import KernelUnavailableError
from kdq_ref.verify.kernel.abi import UNSUPPORTED, get_abi
from kdq_ref.verify.kernel.grid import random_choices
from kdq_ref.verify.kernel.matrices import gemm
from kdq_ref.verify.kernel.pipeline import compute
from kdq_ref.verify.kernel.trial import Call, CallableFailed, Runner, Setting, Trial

ABI = get_abi("gemm_s8s8s32")


class Kernel:
    """A target in Python that does what K tells it to, and is right otherwise."""

    def __init__(self, scratch: int = 0) -> None:
        self.scratch = scratch

    def scratch_bytes(self, problem) -> int:
        return self.scratch

    def invoke(self, calls) -> None:
        for ready in calls:
            self.act(ready)
            ready.output.array[:] = compute(ready.call.problem, ready.output.array)

    def act(self, ready) -> None:
        k = ready.call.problem.sizes["k"]
        if k == 1:
            os._exit(5)
        if k == 2:
            ctypes.string_at(0)
        if k == 3:
            time.sleep(600)
        if k == 6:
            raise CallableFailed("what it raised")
        if k == 9:
            ready.arrays["a"].array[0] = 99
        ready.number = {7: 37, 8: UNSUPPORTED}.get(k, 0)


def _trial(k: int, **setting) -> Trial:
    problem = gemm(random_choices(0, k), ABI, None, (2, 3, k), "", kinds=("small", "small"))
    return Trial((Call(problem, Setting(**setting)),))


@pytest.mark.parametrize("fault", [OSError(11, "no thread"), MemoryError("no memory")])
def test_what_the_system_refuses_is_no_finding(fault: Exception) -> None:
    """No thread, no memory: the kernel was not even called, and is not accused."""

    class Refused(Kernel):
        def act(self, ready) -> None:
            raise fault

    with pytest.raises(KernelUnavailableError, match=r"a call could not be made: .*no "):
        Runner(Refused(), 5.0).run([_trial(4)])


def test_every_call_has_its_own_ending() -> None:
    """Those between are right; results are in the order of the calls."""
    trials = [_trial(k) for k in (4, 1, 4, 2, 3, 6, 7, 8, 9, 5)]
    outcomes = Runner(Kernel(), 2.0).run(trials)
    kinds = [outcome.kind for outcome in outcomes]
    assert kinds == [
        *("done", "exit", "done", "signal", "hang"),
        *("raised", "returned", "refused late", "done", "done"),
    ]
    assert (outcomes[1].number, outcomes[6].number) == (5, 37)
    assert outcomes[5].text == "what it raised"
    assert outcomes[8].changed == ("a",)
    for number in (0, 2, 9):
        call = trials[number].calls[0]
        np.testing.assert_array_equal(
            outcomes[number].outputs[0], compute(call.problem, call.memory())
        )


def test_too_many_deaths_end_a_batch() -> None:
    """The rest is skipped, and not counted."""
    runner = Runner(Kernel(), 30.0, most_deaths=3)
    kinds = [outcome.kind for outcome in runner.run([_trial(1)] * 5)]
    assert kinds == ["exit"] * 3 + ["skipped"] * 2
    assert runner.trials == 3


def test_calls_of_a_trial_share_a_process() -> None:
    """One outcome, all outputs; the one that fails is named."""
    a, b, dead = (_trial(k).calls[0] for k in (4, 5, 1))
    runner = Runner(Kernel(), 30.0)
    outcome = runner.alone(Trial((a, b, a)))
    assert [out.size for out in outcome.outputs] == [6, 6, 6]
    assert runner.alone(Trial((a, b, dead))).call == 2


@pytest.mark.parametrize("fill", [0x00, 0xA5])
def test_memory_holds_the_fill(fill: int) -> None:
    """An output that is not written comes back as it was."""

    class Idle(Kernel):
        def invoke(self, calls) -> None:
            assert set(calls[0].scratch.array) == {fill}
            assert calls[0].scratch.address % 64 == 0

    trial = _trial(4, output_fill=fill, scratch_fill=fill)
    outcome = Runner(Idle(scratch=10), 30.0).alone(trial)
    assert outcome.kind == "done"
    assert set(outcome.outputs[0].view(np.uint8)) == {fill}


def test_an_absurd_wish_for_scratch_memory_is_refused() -> None:
    """The child says so and ends."""
    outcome = Runner(Kernel(scratch=-4), 30.0).alone(_trial(4))
    assert outcome.kind == "exit"
    assert "-4 bytes of scratch memory" in outcome.text


def test_slack_is_by_name_or_for_all() -> None:
    """The named one first."""
    setting = replace(Setting(), slack={"*": 8, "a": 2})
    memory = np.zeros(4, np.int8)
    distances = {}
    for name in ("a", "b"):
        fenced = setting.fence(name, memory)
        end = fenced.pages.address + fenced.pages.memory.size
        distances[name] = end - (fenced.address + memory.nbytes)
        fenced.free()
    assert distances == {"a": 2, "b": 8}
