"""Threads of C alone: what they return, and that they run at once."""

from __future__ import annotations

import ctypes
import errno
from pathlib import Path

import pytest

from kdq_ref.verify.kernel.fence import Stack
from kdq_ref.verify.kernel.native_thread import NativeThread, _check

SOURCE = """
#include <stdint.h>
struct argument { int32_t value; };
int32_t same(const struct argument *a) { return a->value; }
uintptr_t place(const struct argument *a) { (void)a; int here; return (uintptr_t)&here >> 16; }
int32_t meet(struct argument *a)
{
    __atomic_add_fetch(&a->value, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&a->value, __ATOMIC_SEQ_CST) < 3) ;
    return 7;
}
"""


class Argument(ctypes.Structure):
    """What the functions get."""

    _fields_ = (("value", ctypes.c_int32),)


@pytest.fixture(scope="module")
def functions(build, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The functions above, compiled."""
    source: Path = tmp_path_factory.mktemp("threads") / "threads.c"
    source.write_text(SOURCE)
    return ctypes.CDLL(str(build(source)))


def _thread(functions: ctypes.CDLL, name: str, argument: Argument, stack: Stack) -> NativeThread:
    function = ctypes.cast(getattr(functions, name), ctypes.c_void_p)
    return NativeThread(function, argument, stack)


@pytest.mark.parametrize("value", [0, 1, -1, 2**31 - 1, -(2**31)])
def test_an_int32_comes_back(functions: ctypes.CDLL, value: int) -> None:
    """Whatever the upper half of the register holds."""
    thread = _thread(functions, "same", Argument(value), Stack())
    thread.start()
    assert thread.join() == value


def test_the_stack_is_the_given_one(functions: ctypes.CDLL) -> None:
    """So that what it held is known."""
    stack = Stack()
    thread = _thread(functions, "place", Argument(), stack)
    thread.start()
    place = thread.join() & 0xFFFFFFFF
    first, last = stack.address >> 16, (stack.address + stack.pages.memory.size) >> 16
    assert first & 0xFFFFFFFF <= place <= last & 0xFFFFFFFF


def test_threads_run_at_once(functions: ctypes.CDLL) -> None:
    """None of the three returns before all have started."""
    together = Argument(0)
    stacks = [Stack() for _ in range(3)]
    threads = [_thread(functions, "meet", together, stack) for stack in stacks]
    for thread in threads:
        thread.start()
    assert [thread.join() for thread in threads] == [7, 7, 7]


def test_no_thread_left_is_an_error() -> None:
    """With the number and the words of the system."""
    with pytest.raises(OSError, match="a thread could not be started: ") as error:
        _check(errno.EAGAIN)
    assert error.value.errno == errno.EAGAIN
