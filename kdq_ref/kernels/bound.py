"""A plan and the arrays it runs on, checked once for many runs."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from kdq_ref.checks import check_finite
from kdq_ref.kernels.buffers import pointer
from kdq_ref.kernels.core import ffi, lib

_REAL = np.dtype(np.float32)


def _sources(x: np.ndarray) -> tuple[Any, Any]:
    """Pointers to real numbers and to codes, one of them NULL."""
    return (pointer(x), ffi.NULL) if x.dtype == _REAL else (ffi.NULL, pointer(x))


class BoundPlan:
    """A plan and the arrays it runs on; calling it runs the network. Made by `Plan.bind`.

    One call at a time: calls would share the arena.

    Raises
    ------
    NotFiniteError
        When called while the input holds NaN or infinity; nothing has been written then.
    """

    __slots__ = ("_arguments", "_keep", "_run")

    def __init__(
        self, owner: Any, plan: Any, x: np.ndarray, out: np.ndarray, arena: np.ndarray
    ) -> None:
        self._keep = owner, x
        self._run = lib.kdq_plan_run
        self._arguments = (
            plan,
            len(x),
            *_sources(x),
            pointer(out),
            pointer(arena),
            arena.nbytes,
        )

    def __call__(self) -> None:
        """Run the network once."""
        if self._run(*self._arguments) != lib.KDQ_OK:
            # Nothing else can be wrong with arrays that were checked.
            check_finite("x", self._keep[1])


class BoundShares:
    """A plan and the image that several threads share. Made by `Plan.bind_shared`.

    Call :meth:`start`, then every one of `calls` once, each in a thread of its own: they wait for
    each other, spinning. One run at a time.
    """

    __slots__ = ("_arrived", "_keep", "calls")

    def __init__(
        self,
        owner: Any,
        plan: Any,
        x: np.ndarray,
        out: np.ndarray,
        arena: np.ndarray,
        parts: int,
    ) -> None:
        self._keep = owner  # pointers keep the arrays
        self._arrived = ffi.new("int32_t *")
        arrays = *_sources(x), pointer(out), pointer(arena)
        self.calls = [
            partial(lib.kdq_plan_run_shared, plan, *arrays, part, parts, self._arrived)
            for part in range(parts)
        ]

    def start(self) -> None:
        """Prepare the next run."""
        self._arrived[0] = 0

    def give_up(self) -> None:
        """Let calls that wait for a call which will not come return; the result is rubbish."""
        self._arrived[0] = 2**30
