"""Float networks on disk: architecture, weights, and what they were made for."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from kdq_ref.checks import check_array, check_finite
from kdq_ref.errors import CheckpointError
from kdq_ref.files import load_tensors, save_tensors
from kdq_ref.nn import Graph

KIND = "float-model"
FORMAT = 1

MALFORMED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What building something from untrusted values may raise (our own errors are among them)."""

_ANY_FILE_MAY_SAY = 1024
_ALLOCATE_NOTHING = frozenset({"input_shape", "kernel", "stride", "padding", "dilation"})


def save_float_model(
    path: str | os.PathLike[str], graph: Graph, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write a float network; atomically, and the same bytes for the same network.

    Parameters
    ----------
    path : path-like
    graph : Graph
        float32 and finite.
    metadata : mapping, optional
        Any JSON-able facts: dataset, classes, pixel scale, accuracy.

    Raises
    ------
    DTypeError, NotFiniteError
    """
    state = graph.state_dict()
    for name, array in state.items():
        check_finite(name, check_array(name, array, dtype=np.float32))
    manifest = {"graph": graph.config(), "metadata": dict(metadata or {})}
    save_tensors(path, state, manifest, kind=KIND, format=FORMAT)


def load_float_model(path: str | os.PathLike[str]) -> tuple[Graph, dict[str, Any]]:
    """Read a float network written by :func:`save_float_model`.

    Returns
    -------
    graph : Graph
    metadata : dict

    Raises
    ------
    CheckpointError
        For any fault: damage, an impossible network, tensors that are not exactly its own.
    """
    tensors, manifest = load_tensors(path, kind=KIND, error=CheckpointError, format=FORMAT)
    if manifest.keys() != {"graph", "metadata"} or not isinstance(manifest["metadata"], dict):
        raise CheckpointError(path, "does not hold what a float model holds")
    try:
        graph = build_graph(manifest["graph"], tensors)
        for name, array in tensors.items():
            check_finite(name, array)
    except MALFORMED as fault:
        raise CheckpointError(path, f"describes an impossible network: {fault}") from fault
    return graph, manifest["metadata"]


def build_graph(config: Any, state: Mapping[str, np.ndarray]) -> Graph:
    """Build a network from untrusted parts, with no more memory than `state` has.

    Parameters
    ----------
    config : object
        Said to be from `Graph.config`.
    state : mapping of str to ndarray
        Said to be from `Graph.state_dict`.

    Raises
    ------
    Exception
        One of `MALFORMED`, if they are not.
    """
    numbers = sum(array.size for array in state.values())
    _check_sizes(config, max(numbers, _ANY_FILE_MAY_SAY))
    graph = Graph.from_config(config, cast(np.random.Generator, _Blank(numbers)))
    if graph.config() != config:
        raise ValueError("the configuration is not in the form this version writes")
    graph.load_state_dict(state)
    return graph


class _Blank:
    """Stands in for a generator of weights that will be overwritten: zeros, on a budget."""

    def __init__(self, numbers: int) -> None:
        self._left = numbers

    def standard_normal(self, shape: Sequence[int], dtype: Any) -> np.ndarray:
        self._left -= math.prod(shape)
        if self._left < 0:
            raise ValueError("its layers have more weights than the file")
        return np.zeros(shape, dtype)

    random = standard_normal


def _check_sizes(value: Any, most: int) -> None:
    """Refuse sizes that the file's own content contradicts, before anything is allocated."""
    if isinstance(value, int) and value > most:
        raise ValueError(f"size {value} is more than the numbers in the file")
    if isinstance(value, dict):
        value = [part for key, part in value.items() if key not in _ALLOCATE_NOTHING]
    if isinstance(value, list):
        for part in value:
            _check_sizes(part, most)
