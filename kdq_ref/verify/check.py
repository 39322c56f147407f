"""A dialect beside its runtime: every output of many samples, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from kdq_ref import kernels
from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialect import AVX2, Dialect
from kdq_ref.verify.network import store
from kdq_ref.verify.oracle import Oracle
from kdq_ref.verify.samples import OPERATORS, Sample, generate

_SAMPLE_OUTPUTS = 1 << 15
_REFUSALS = 40
"""After so many refused samples in a row an operator counts as not supported."""

Progress = Callable[[str, int, int], None]
"""``progress(operator, outputs compared, outputs asked for)``."""


@dataclass
class Row:
    """One operator of one dialect beside its runtime.

    Attributes
    ----------
    dialect, runtime, operator : str
    outputs, mismatches : int
        How many were compared, and how many differ.
    largest : float
        Largest difference, in codes (in reals for dequantize).
    networks : int
        How many samples were compared.
    refused : int
        How many the runtime did not take.
    note : str
        Why nothing was compared, or where the first difference is, or what was refused.
    """

    dialect: str
    runtime: str
    operator: str
    outputs: int = 0
    mismatches: int = 0
    largest: float = 0.0
    networks: int = 0
    refused: int = 0
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether no output differs."""
        return self.mismatches == 0


def check(
    dialect: Dialect,
    oracle: Oracle,
    operators: tuple[str, ...] = OPERATORS,
    *,
    outputs: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> Iterator[Row]:
    """Compare a dialect with its runtime, operator by operator.

    Parameters
    ----------
    dialect : Dialect
    oracle : Oracle
        The runtime it names.
    operators : tuple of str
    outputs : int
        How many outputs to compare for each operator, at least.
    seed : int
        Of the samples.
    progress : callable, optional

    Yields
    ------
    Row
        One for each operator; where nothing can be compared, it says why.
    """
    missing = oracle.version() is None
    features = kernels.isa_report().cpu_features
    elsewhere = dialect.processor == AVX2 and features != ("AVX2",)
    for operator in operators:
        row = Row(dialect.name, oracle.name, operator)
        if missing:
            row.note = f"{oracle.package} is not installed: pip install 'kdq_ref[oracles]'"
        elif elsewhere:
            known = ", ".join(features) or "nothing that the C core knows"
            row.note = f"describes {dialect.processor}; this processor has {known}"
        elif operator not in dialect.operators:
            row.note = dialect.notes.get(operator, "the runtime has no such operator")
        else:
            _compare(row, dialect, oracle, outputs, seed, progress)
        yield row


def _compare(
    row: Row, dialect: Dialect, oracle: Oracle, outputs: int, seed: int, progress: Progress | None
) -> None:
    refusals = 0
    for sample in generate(row.operator, seed=seed, outputs=min(outputs, _SAMPLE_OUTPUTS)):
        try:
            _compare_sample(row, dialect, oracle, sample)
            refusals = 0
        except UnsupportedError as fault:
            row.refused += 1
            refusals += 1
            row.note = row.note or f"refused: {fault}"
        if progress is not None:
            progress(row.operator, row.outputs, outputs)
        if row.outputs >= outputs or refusals >= _REFUSALS:
            return


def _compare_sample(row: Row, dialect: Dialect, oracle: Oracle, sample: Sample) -> None:
    network = sample.network.stored_as(dialect.storage)
    inputs = {name: store(value, dialect.storage) for name, value in sample.inputs.items()}
    expected = dialect.run(network, inputs)
    answers = oracle.run(network, inputs)
    row.networks += 1
    for name, answer in answers.items():
        wanted = expected[name]
        row.outputs += answer.size
        differs = different(wanted, answer)
        count = int(differs.sum())
        if count:
            place = tuple(int(axis[0]) for axis in np.nonzero(differs))
            if not row.mismatches:
                number = row.networks + row.refused - 1
                row.note = (
                    f"sample {number} ({sample.style}), {name}{list(place)}: "
                    f"dialect {wanted[place]}, runtime {answer[place]}"
                )
            row.mismatches += count
            distance = np.abs(wanted.astype(np.float64) - answer.astype(np.float64))
            row.largest = max(row.largest, float(distance.max()))


def different(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where two results differ in any bit (``-0.0`` and ``0.0`` are equal, NaN equals NaN)."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return np.ones(b.shape, bool)
    return ~((a == b) | ((a != a) & (b != b)))
