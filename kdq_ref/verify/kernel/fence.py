"""Memory whose neighbours cannot be touched, and stacks that hold what we put there."""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

import numpy as np

GUARD = 16 * mmap.PAGESIZE
"""Bytes on either side of fenced memory that fault when touched."""
STACK = 8 << 20
_DIRTY = 1 << 17  # how much of a stack is filled before a call
_NONE, _READ, _READ_WRITE = 0, mmap.PROT_READ, mmap.PROT_READ | mmap.PROT_WRITE


def _libc() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [
        *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int),
        *(ctypes.c_int, ctypes.c_int, ctypes.c_long),
    ]
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return libc


class Pages:
    """Anonymous pages with a guard on either side.

    Attributes
    ----------
    address : int
        Where the usable part begins.
    memory : (size,) uint8 ndarray
    """

    _system: Any = None

    def __init__(self, size: int, *, readable: bool = False) -> None:
        if Pages._system is None:
            Pages._system = _libc()
        self._whole = size + 2 * GUARD
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        start = self._system.mmap(None, self._whole, _READ_WRITE, flags, -1, 0)
        if start is None or start == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), f"mmap of {self._whole} bytes")
        self._start = start
        self.address = start + GUARD
        for guard in (start, self.address + size):
            if self._system.mprotect(guard, GUARD, _READ if readable else _NONE):
                raise OSError(ctypes.get_errno(), "mprotect")
        raw = (ctypes.c_uint8 * size).from_address(self.address)
        self.memory: np.ndarray = np.ctypeslib.as_array(raw)

    def free(self) -> None:
        """Give the pages back; nothing may look at ``memory`` any more."""
        self._system.munmap(self._start, self._whole)


class Fenced:
    """A copy of an array that ends, or begins, where a guard does.

    Parameters
    ----------
    array : (n,) ndarray
    at_end : bool
        Whether the guard is behind its last element or in front of its first.
    slack : int
        Bytes between the array and that guard.
    align : int
        The address is a multiple of it, even if the array then ends a little before the guard.
    readable : bool
        Let guards fault on writes only.
    """

    def __init__(
        self,
        array: np.ndarray,
        *,
        at_end: bool,
        slack: int = 0,
        align: int = 1,
        readable: bool = False,
    ) -> None:
        room = -(-max(1, array.nbytes + slack) // mmap.PAGESIZE) * mmap.PAGESIZE
        self.pages = Pages(room, readable=readable)
        offset = (room - slack - array.nbytes) // align * align if at_end else slack
        self.address = self.pages.address + offset
        bytes_ = self.pages.memory[offset : offset + array.nbytes]
        self.array = bytes_.view(array.dtype)
        self.array[...] = array

    def free(self) -> None:
        """Give the memory back."""
        self.pages.free()


class Stack:
    """A stack for one thread."""

    def __init__(self) -> None:
        self.pages = Pages(STACK)
        self.address = self.pages.address

    def fill(self, byte: int) -> None:
        """Let the part that is used first hold ``byte`` everywhere."""
        self.pages.memory[-_DIRTY:] = byte
