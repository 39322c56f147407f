"""A plan and the arrays it runs on, checked once for many runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdq_ref.checks import check_finite
from kdq_ref.kernels.buffers import pointer
from kdq_ref.kernels.core import ffi, lib

_REAL = np.dtype(np.float32)


def _pointers(x: np.ndarray, out: np.ndarray, arena: np.ndarray) -> dict[str, Any]:
    """Fields of a ``kdq_part``; they keep the arrays alive, the struct does not."""
    source = "x_float" if x.dtype == _REAL else "x_codes"
    return {source: pointer(x), "y": pointer(out), "arena": pointer(arena)}


class BoundPlan:
    """A plan and the arrays it runs on; calling it runs the network. Made by `Plan.bind`.

    One call at a time: calls would share the arena.

    Attributes
    ----------
    part : cdata
        What a :class:`~kdq_ref.kernels.crew.Crew` is handed; :meth:`check` says how it ended.

    Raises
    ------
    NotFiniteError
        When called while the input holds NaN or infinity; nothing has been written then.
    """

    __slots__ = ("_keep", "_run", "_x", "part")

    def __init__(
        self, owner: Any, plan: Any, x: np.ndarray, out: np.ndarray, arena: np.ndarray
    ) -> None:
        fields = _pointers(x, out, arena)
        self._keep, self._x = (owner, fields), x
        self._run = lib.kdq_part_run
        sizes = {"images": len(x), "arena_bytes": arena.nbytes}
        self.part = ffi.new("kdq_part *", {"plan": plan, **fields, **sizes})

    def __call__(self) -> None:
        """Run the network once."""
        if self._run(self.part) != lib.KDQ_OK:
            self.check()

    def check(self) -> None:
        """Raise what was wrong with the last run."""
        if self.part.status != lib.KDQ_OK:
            # Nothing else can be wrong with arrays that were checked.
            check_finite("x", self._x)


class BoundShare:
    """One thread's share of an image; calling it runs it. Made by `Plan.bind_shared`.

    All shares of the image are run at once, each in a thread of its own: they wait for each other,
    spinning. The first one's :meth:`start` comes before.

    Attributes
    ----------
    part : cdata
    """

    __slots__ = ("_arrived", "_keep", "part")

    def __init__(self, keep: Any, arrived: Any, part: Any) -> None:
        self._keep, self._arrived, self.part = keep, arrived, part

    def __call__(self) -> None:
        """Run this share."""
        lib.kdq_part_run(self.part)

    def check(self) -> None:
        """Nothing can go wrong: the input was checked before."""

    def start(self) -> None:
        """Prepare the next run of all shares."""
        self._arrived[0] = 0

    def give_up(self) -> None:
        """Let shares that wait for one which will not come return; the result is rubbish."""
        self._arrived[0] = 2**30


def bind_shares(
    owner: Any, plan: Any, x: np.ndarray, out: np.ndarray, arena: np.ndarray, parts: int
) -> list[BoundShare]:
    """Return the shares of `parts` threads in one image."""
    arrived = ffi.new("int32_t *")
    fields = {"plan": plan, **_pointers(x, out, arena), "parts": parts, "arrived": arrived}
    return [
        BoundShare((owner, fields), arrived, ffi.new("kdq_part *", {**fields, "part": part}))
        for part in range(parts)
    ]
