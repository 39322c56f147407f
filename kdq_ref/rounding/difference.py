"""Where requantizations differ, over all 2**32 accumulators: which, how many, by how much.

Every step of a rule is monotone: a larger accumulator never gets a smaller code. So where a
requantization gives one code at both ends of an interval, it gives it everywhere inside, and int32
falls into a few hundred intervals on which a requantization is constant (a hundred thousand for
int16 codes). Halving all that are not finds them in 32 steps; the counts are exact, and take
milliseconds (a tenth of a second).

The one exception is a product that overflows under ``fbgemm``; where that begins is worked out.
The rules of 16x8 are compared on int32 as well: beyond it, those of int32 biases only wrap around.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from kdq_ref.errors import InvalidArgumentError, ShapeError
from kdq_ref.rounding.float32 import fbgemm
from kdq_ref.rounding.int16x8 import Requant16x8
from kdq_ref.rounding.requant import Requant

AnyRequant = Requant | Requant16x8

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1


@dataclass(frozen=True)
class Difference:
    """How two requantizations differ, over all of int32.

    Attributes
    ----------
    rules : tuple of str
    count : int
        How many accumulators get different codes.
    smallest : int or None
        The one next to zero, the positive one of two; None if there is none.
    codes : tuple of int or None
        What ``smallest`` gets under either.
    largest : int
        The largest difference of two codes.
    largest_at : int or None
        The accumulator next to zero that shows it.
    """

    rules: tuple[str, str]
    count: int
    smallest: int | None
    codes: tuple[int, int] | None
    largest: int
    largest_at: int | None


def compare(a: AnyRequant, b: AnyRequant) -> Difference:
    """Compare two requantizations of one channel on every accumulator.

    Raises
    ------
    ShapeError
        For constants of more than one channel.
    InvalidArgumentError
        For one that makes int8 codes and one that makes int16 codes.
    """
    return compare_all((a, b))[0]


def compare_all(requants: Sequence[AnyRequant]) -> list[Difference]:
    """Compare every pair, in the order of :func:`itertools.combinations`.

    Raises
    ------
    InvalidArgumentError, ShapeError
    """
    if len(requants) < 2:
        raise InvalidArgumentError("two requantizations are the least that can be compared")
    if len({type(requant) for requant in requants}) > 1:
        raise InvalidArgumentError("int8 codes cannot be compared with int16 codes of 16x8")
    starts, lengths, codes = constant_intervals(requants)
    # Of each interval, the accumulator next to zero; and by distance, the positive one first.
    nearest = np.where(starts < 0, starts + lengths - 1, starts)
    order = np.lexsort((nearest < 0, np.abs(nearest)))
    nearest, lengths, codes = nearest[order], lengths[order], codes[:, order].astype(np.int64)
    found = []
    for a, b in combinations(range(len(requants)), 2):
        sizes = np.abs(codes[a] - codes[b])
        differ = np.flatnonzero(sizes)
        names = (requants[a].rule.name, requants[b].rule.name)
        if not len(differ):
            found.append(Difference(names, 0, None, None, 0, None))
            continue
        i, j = differ[0], int(np.argmax(sizes))
        found.append(
            Difference(
                rules=names,
                count=int(lengths[differ].sum()),
                smallest=int(nearest[i]),
                codes=(int(codes[a, i]), int(codes[b, i])),
                largest=int(sizes[j]),
                largest_at=int(nearest[j]),
            )
        )
    return found


def constant_intervals(
    requants: Sequence[AnyRequant],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut int32 into intervals on which every requantization gives one code.

    Parameters
    ----------
    requants : sequence of Requant or Requant16x8
        R of them, of one channel.

    Returns
    -------
    starts, lengths : (N,) int64 ndarray
        Interval ``n`` holds ``starts[n] ... starts[n] + lengths[n] - 1``, all of one sign. They
        cover int32 once.
    codes : (R, N) ndarray
        int8, or int16 of 16x8.

    Raises
    ------
    ShapeError
    """
    if any(requant.channels != 1 for requant in requants):
        raise ShapeError("requantizations are compared one channel at a time")
    breaks = [start for requant in requants for start in _overflow_start(requant)]
    length, starts = 2**31, np.array([_INT32_MIN, 0])
    closed: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    while len(starts):
        ends = starts + length - 1
        at_start = np.array([requant.apply(starts) for requant in requants])
        at_end = np.array([requant.apply(ends) for requant in requants])
        is_open = (at_start != at_end).any(axis=0)
        for start in breaks:
            is_open |= (starts < start) & (start <= ends)
        done = ~is_open
        closed.append((starts[done], np.full(done.sum(), length), at_start[:, done]))
        length //= 2
        starts = (starts[is_open, None] + np.array([0, length])).ravel()
    parts = list(zip(*closed, strict=True))
    return np.concatenate(parts[0]), np.concatenate(parts[1]), np.concatenate(parts[2], axis=1)


def _overflow_start(requant: AnyRequant) -> list[int]:
    """The first accumulator from which on a product of fbgemm overflows, if one does."""
    if requant.rule is not fbgemm:
        return []
    scale, bias = requant.constants.scale, requant.constants.bias

    def overflows(acc: int) -> bool:
        return bool(((np.float32(acc) + bias) * scale >= np.float32(2.0**31)).all())

    with np.errstate(over="ignore"):
        if not overflows(_INT32_MAX):
            return []
        low, high = _INT32_MIN, _INT32_MAX
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if overflows(middle) else (middle + 1, high)
    return [low]
