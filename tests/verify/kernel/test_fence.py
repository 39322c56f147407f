"""Fenced memory: what is next to it cannot be touched."""

from __future__ import annotations

import ctypes
import signal

import numpy as np
import pytest

from kdq_ref.verify.kernel.child import Shared, run_in_child
from kdq_ref.verify.kernel.fence import Fenced, Stack


def _touching(offset: int, *, write: bool = False, **options) -> str:
    """How a child ends that touches the byte at that offset from a fenced array of 12 bytes."""
    shared = Shared(8)

    def work() -> None:
        fenced = Fenced(np.arange(3, dtype=np.int32), **options)
        if write:
            ctypes.memset(fenced.address + offset, 1, 1)
        else:
            ctypes.string_at(fenced.address + offset, 1)
        shared.progress[1] = 1

    ending = run_in_child(work, shared, 30.0)
    if ending.kind == "signal":
        assert ending.number in (signal.SIGSEGV, signal.SIGBUS)
    return ending.kind


@pytest.mark.parametrize(
    ("offset", "options", "kind"),
    [
        (11, {"at_end": True}, "finished"),
        (12, {"at_end": True}, "signal"),
        (12, {"at_end": True, "slack": 1}, "finished"),
        (13, {"at_end": True, "slack": 1}, "signal"),
        (0, {"at_end": False}, "finished"),
        (-1, {"at_end": False}, "signal"),
        (-4, {"at_end": False, "slack": 4}, "finished"),
        (-5, {"at_end": False, "slack": 4}, "signal"),
        (12, {"at_end": True, "readable": True}, "finished"),
        (12, {"at_end": True, "readable": True, "write": True}, "signal"),
    ],
)
def test_the_first_byte_outside_kills(offset: int, options: dict, kind: str) -> None:
    """At either end, exactly; slack moves the guard away; readable guards stop writes only."""
    assert _touching(offset, **options) == kind


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097])
@pytest.mark.parametrize("at_end", [True, False])
def test_it_holds_a_copy(size: int, at_end: bool) -> None:
    """Any size, also none."""
    array = np.arange(size, dtype=np.uint8)
    fenced = Fenced(array, at_end=at_end)
    np.testing.assert_array_equal(fenced.array, array)
    fenced.free()


def test_an_alignment_is_kept() -> None:
    """Scratch memory begins at a multiple of 64, whatever its size."""
    fenced = Fenced(np.zeros(100, np.uint8), at_end=True, align=64)
    assert fenced.address % 64 == 0
    fenced.free()


def test_a_stack_holds_what_it_is_filled_with() -> None:
    """At its top, where a call begins."""
    stack = Stack()
    stack.fill(0x5A)
    assert set(stack.pages.memory[-4096:]) == {0x5A}
