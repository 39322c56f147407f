"""Threads that are nothing but one call of a C function, on a stack of ours."""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any

import numpy as np

from kdq_ref.verify.kernel.fence import STACK, Stack


class NativeThread:
    """A thread that will call ``function(argument)``: a ``void *(*)(void *)``.

    Everything that can be done before is done here, so that threads started one after the other
    run at once.

    Parameters
    ----------
    function : ctypes.c_void_p
    argument : ctypes.Structure
    stack : Stack

    Raises
    ------
    OSError
        Here or from ``start``, if there is no memory or no thread left.
    """

    def __init__(self, function: ctypes.c_void_p, argument: ctypes.Structure, stack: Stack) -> None:
        libc = _libc()
        self._kept = argument, stack  # which C knows by their addresses only
        self._attributes = np.zeros(16, np.int64)  # more than any pthread_attr_t
        address = self._attributes.ctypes.data
        libc.pthread_attr_init(address)
        _check(libc.pthread_attr_setstack(address, stack.address, STACK))
        self._thread = ctypes.c_void_p()
        arguments = (ctypes.byref(self._thread), address, function, ctypes.addressof(argument))
        self._create = functools.partial(libc.pthread_create, *arguments)

    def start(self) -> None:
        """Start it."""
        _check(self._create())

    def join(self) -> int:
        """Wait for its end; the int32 in the lower half of the register a pointer comes back in."""
        result = ctypes.c_void_p()
        _libc().pthread_join(self._thread, ctypes.byref(result))
        return ctypes.c_int32((result.value or 0) & 0xFFFFFFFF).value


@functools.cache
def _libc() -> Any:
    libc = ctypes.CDLL(None)
    libc.pthread_attr_init.argtypes = [ctypes.c_void_p]
    libc.pthread_attr_setstack.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    libc.pthread_create.argtypes = [ctypes.c_void_p] * 4
    libc.pthread_join.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    return libc


def _check(fault: int) -> None:
    if fault:
        raise OSError(fault, f"a thread could not be started: {os.strerror(fault)}")
