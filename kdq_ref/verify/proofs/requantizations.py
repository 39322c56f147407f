"""Every requantization of a network on every accumulator it can reach: specification and C agree.

Channels with equal constants are checked once, on the union of their intervals. Columns of one
block are channels, as in the network, so that kernels run the way they do there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from kdq_ref import kernels
from kdq_ref.infer import IntGraph, IntNode
from kdq_ref.infer.ops import Add
from kdq_ref.rounding import Requant
from kdq_ref.rounding.rule import Constants
from kdq_ref.verify.proofs.reach import Reach

_COLUMNS = 16
"""Channels of similar width that are checked side by side."""

_BLOCK = 1 << 16
"""Accumulators of a block: what fits the second cache together with the rule's temporaries."""

Progress = Callable[[int], None]
"""Called with the number of accumulators that were just compared."""


@dataclass(frozen=True)
class Mismatch:
    """An accumulator on which an instruction set and the specification part.

    Attributes
    ----------
    isa, layer : str
    channel : int
    accumulator : int
    expected, got : int
        Codes of the specification and of the kernel.
    """

    isa: str
    layer: str
    channel: int
    accumulator: int
    expected: int
    got: int


@dataclass(frozen=True)
class Checked:
    """What was compared.

    Attributes
    ----------
    isas : tuple of str
    accumulators : int
        Compared for each of them; the reachable ones of all distinct constants.
    channels, distinct : int
        Of all requantizations; with different constants.
    mismatches : tuple of Mismatch
        The first one of every distinct channel and instruction set; empty if all agree.
    """

    isas: tuple[str, ...]
    accumulators: int
    channels: int
    distinct: int
    mismatches: tuple[Mismatch, ...]


@dataclass(frozen=True, eq=False)
class _Column:
    """One channel's constants, and accumulators: ``low ... high``, or those listed."""

    layer: str
    channel: int
    requant: Requant
    low: int
    high: int
    listed: np.ndarray | None = None

    @property
    def size(self) -> int:
        """How many accumulators."""
        return self.high - self.low + 1 if self.listed is None else len(self.listed)


def check(
    graph: IntGraph,
    found: Reach,
    isas: tuple[str, ...],
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> Checked:
    """Compare :func:`kdq_ref.intref.requantize` with kernels on every reachable accumulator.

    Parameters
    ----------
    graph : IntGraph
    found : Reach
        Of this network.
    isas : tuple of str
        Of :func:`kdq_ref.kernels.available_isas`; with none, nothing is compared.
    threads : int
    progress : callable, optional

    Returns
    -------
    Checked
    """
    columns, channels, distinct = _columns(graph, found)
    total = sum(column.size for column in columns)
    if not isas:
        return Checked((), 0, channels, distinct, ())
    first: dict[tuple[str, str, int], Mismatch] = {}
    with ThreadPoolExecutor(threads) as pool:
        for done, mismatches in pool.map(lambda block: _compare(block, isas), _blocks(columns)):
            for mismatch in mismatches:
                first.setdefault((mismatch.isa, mismatch.layer, mismatch.channel), mismatch)
            if progress is not None:
                progress(done)
    return Checked(isas, total, channels, distinct, tuple(first.values()))


def count(graph: IntGraph, found: Reach) -> int:
    """How many accumulators :func:`check` will compare."""
    return sum(column.size for column in _columns(graph, found)[0])


def _columns(graph: IntGraph, found: Reach) -> tuple[list[_Column], int, int]:
    """Disjoint intervals of every distinct channel; how many channels there are, and distinct."""
    groups: dict[tuple[object, ...], list[_Column]] = {}
    columns, channels = [], 0
    for node in graph.nodes:
        requant = getattr(node.op, "requant", None)
        if requant is None:
            continue
        intervals = found.accumulators[node.name]
        channels += len(intervals)
        if isinstance(node.op, Add):
            columns.append(_sums(node, node.op, found))
            continue
        for channel, (low, high) in enumerate(intervals.tolist()):
            own = _one(requant, channel if requant.channels > 1 else 0)
            constants = tuple(value.tobytes() for value in vars(own.constants).values())
            key = (*constants, own.zero_point, own.qmin, own.qmax)
            groups.setdefault(key, []).append(_Column(node.name, channel, own, low, high))
    distinct = len(groups) + len(columns)
    columns += [column for group in groups.values() for column in _united(group)]
    columns.sort(key=lambda column: -column.size)
    return columns, channels, distinct


def _sums(node: IntNode, op: Add, found: Reach) -> _Column:
    """The accumulators of an addition: of all pairs of codes, few in a wide interval."""
    addends = []
    for name, zero_point, multiplier in (
        (node.inputs[0], op.a_zero_point, op.a_multiplier),
        (node.inputs[1], op.b_zero_point, op.b_multiplier),
    ):
        codes = np.arange(found.codes[name][:, 0].min(), found.codes[name][:, 1].max() + 1)
        addends.append((codes - zero_point) * multiplier)
    sums = np.unique(np.add.outer(*addends))
    return _Column(node.name, 0, op.requant, int(sums[0]), int(sums[-1]), sums)


def _one(requant: Requant, channel: int) -> Requant:
    constants = {
        name: value[channel : channel + 1] for name, value in vars(requant.constants).items()
    }
    return replace(requant, constants=Constants(**constants))


def _united(group: list[_Column]) -> Iterator[_Column]:
    """Disjoint intervals that cover those of a group."""
    group = sorted(group, key=lambda column: column.low)
    current = group[0]
    for column in group[1:]:
        if column.low <= current.high + 1:
            current = replace(current, high=max(current.high, column.high))
        else:
            yield current
            current = column
    yield current


@dataclass(frozen=True, eq=False)
class _Block:
    """Columns that share a clamp, from an offset into their accumulators on."""

    columns: list[_Column]
    requant: Requant
    offset: int

    def accumulators(self) -> tuple[np.ndarray, int]:
        """(R, C) int32, and how many count: where a column has ended its last is repeated."""
        rows = _BLOCK // len(self.columns)
        sizes = np.array([column.size for column in self.columns], np.int64)
        steps = np.minimum(self.offset + np.arange(rows, dtype=np.int64)[:, None], sizes - 1)
        listed = self.columns[0].listed
        if listed is not None:
            acc = listed[steps]
        else:
            acc = steps + np.array([column.low for column in self.columns], np.int64)
        return acc.astype(np.int32), int(np.clip(sizes - self.offset, 0, rows).sum())


def _blocks(columns: list[_Column]) -> Iterator[_Block]:
    kinds: dict[tuple[object, ...], list[_Column]] = {}
    for column in columns:
        requant = column.requant
        alone = column.layer if column.listed is not None else ""
        key = (requant.zero_point, requant.qmin, requant.qmax, alone)
        kinds.setdefault(key, []).append(column)
    for alike in kinds.values():
        for first in range(0, len(alike), _COLUMNS):
            some = alike[first : first + _COLUMNS]
            requant = replace(some[0].requant, constants=_joined(some))
            for offset in range(0, some[0].size, _BLOCK // len(some)):
                yield _Block(some, requant, offset)


def _joined(columns: list[_Column]) -> Constants:
    parts = [vars(column.requant.constants) for column in columns]
    return Constants(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _compare(block: _Block, isas: tuple[str, ...]) -> tuple[int, list[Mismatch]]:
    acc, counted = block.accumulators()
    expected = block.requant.apply(acc)
    found = []
    for isa in isas:
        got = kernels.requantize(acc, block.requant, isa=isa)
        if np.array_equal(got, expected):
            continue
        for c in np.flatnonzero((got != expected).any(axis=0)):
            row, column = int(np.argmax(got[:, c] != expected[:, c])), block.columns[c]
            codes = int(acc[row, c]), int(expected[row, c]), int(got[row, c])
            found.append(Mismatch(isa, column.layer, column.channel, *codes))
    return counted, found
