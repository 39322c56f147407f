"""Which dialect produced given outputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kdq_ref import infer
from kdq_ref.errors import KdqError
from kdq_ref.infer.graph import INPUT
from kdq_ref.verify.check import different
from kdq_ref.verify.dialects import NAMES, get_dialect
from kdq_ref.verify.int_network import network_of
from kdq_ref.verify.network import store
from kdq_ref.verify.vector_file import Vectors


@dataclass(frozen=True)
class Candidate:
    """A dialect beside the outputs.

    Attributes
    ----------
    dialect : str
    outputs, mismatches : int
        How many were compared, and how many differ.
    largest : float
        Largest difference.
    note : str
        Why it cannot be compared, or where the first difference is.
    """

    dialect: str
    outputs: int
    mismatches: int
    largest: float
    note: str

    @property
    def equal(self) -> bool:
        """Whether every output was compared and none differs."""
        return self.outputs > 0 and self.mismatches == 0


def vectors_of(graph: infer.IntGraph, *, samples: int = 256, seed: int = 0) -> Vectors:
    """Vectors of an integer model: random codes, the two extremes, and its own outputs.

    Parameters
    ----------
    graph : IntGraph
    samples : int
        How many inputs, at least 2.
    seed : int

    Returns
    -------
    Vectors

    Raises
    ------
    UnsupportedError
        For what :func:`~kdq_ref.verify.int_network.network_of` cannot give to a runtime.
    """
    network = network_of(graph)
    rng = np.random.default_rng(seed)
    codes = rng.integers(-128, 128, (samples, *graph.input_shape), np.int8)
    codes[0], codes[1] = -128, 127
    return Vectors(network, {INPUT: codes}, {graph.output: infer.run(graph, codes)})


def identify(vectors: Vectors, names: Iterable[str] = NAMES) -> list[Candidate]:
    """Compare every dialect with the outputs, the nearest first.

    Several may be equal: then these inputs do not tell them apart.
    """
    found = [_compare(vectors, name) for name in names]
    return sorted(found, key=lambda one: (one.outputs == 0, one.mismatches, one.largest))


def _compare(vectors: Vectors, name: str) -> Candidate:
    dialect = get_dialect(name)
    inputs = {key: store(value, dialect.storage) for key, value in vectors.inputs.items()}
    try:
        values = dialect.run(vectors.network.stored_as(dialect.storage), inputs)
    except KdqError as fault:
        return Candidate(name, 0, 0, 0.0, str(fault))
    outputs = mismatches = 0
    largest, note = 0.0, ""
    for key, answer in vectors.outputs.items():
        wanted = store(values[key], answer.dtype.name)
        differs = different(wanted, answer)
        outputs += answer.size
        if differs.any():
            place = tuple(int(axis[0]) for axis in np.nonzero(differs))
            if wanted.shape != answer.shape:
                note = note or f"{key} is {answer.shape}, the dialect says {wanted.shape}"
            else:
                note = note or f"{key}{list(place)}: {answer[place]}, dialect {wanted[place]}"
                distance = np.abs(wanted.astype(np.float64) - answer.astype(np.float64))
                largest = max(largest, float(distance.max()))
            mismatches += int(differs.sum())
    return Candidate(name, outputs, mismatches, largest, note)
