"""Where each value of a plan lies in the arena: first fit over lifetimes.

A value lives from the operation that makes it to the last that reads it. Two values may share bytes
only if no operation sees both, so an operation never writes over its own input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Lifetime:
    """A value of ``size`` bytes that is alive during operations ``first`` to ``last``."""

    size: int
    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        """Whether some operation sees both."""
        return self.first <= other.last and other.first <= self.last


def lifetimes(
    sizes: Sequence[int], operations: Sequence[tuple[tuple[int, ...], int]], outside: int
) -> list[Lifetime]:
    """Return when each value is alive.

    Parameters
    ----------
    sizes : sequence of int
        Bytes of each value; value 0 is there before the first operation.
    operations : sequence of (sources, target)
        Numbers of values, in the order of execution.
    outside : int
        The value that needs no room, because the caller of the plan provides it.
    """
    first, last = [-1] * len(sizes), [-1] * len(sizes)
    for number, (sources, target) in enumerate(operations):
        first[target] = last[target] = number
        for source in sources:
            last[source] = number
    needed = [0 if value == outside else size for value, size in enumerate(sizes)]
    return [Lifetime(*life) for life in zip(needed, first, last, strict=True)]


def first_fit(lives: Sequence[Lifetime]) -> tuple[list[int], int]:
    """Give every value the lowest offset that is free during its life.

    Large values choose first: small ones fit into what is left.

    Returns
    -------
    offsets : list of int
        Of each value, in the given order.
    total : int
        Bytes that all of them need together.
    """
    offsets = [0] * len(lives)
    placed: list[int] = []
    for index in sorted(range(len(lives)), key=lambda i: -lives[i].size):
        life = lives[index]
        offset = 0
        for other in sorted(placed, key=lambda i: offsets[i]):
            if life.overlaps(lives[other]) and offset + life.size > offsets[other]:
                offset = max(offset, offsets[other] + lives[other].size)
        offsets[index] = offset
        placed.append(index)
    total = max((o + life.size for o, life in zip(offsets, lives, strict=True)), default=0)
    return offsets, total
