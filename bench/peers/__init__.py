"""Who we are compared with: one family a file, all behind one function.

A peer is given a :class:`bench.models.Problem` and prepares a call that runs it: everything that
can be done beforehand (packing weights, choosing kernels, allocating inputs and outputs) is.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bench.models import Problem


class Unsupported(Exception):
    """This peer cannot run this problem; the message says why."""


class Unavailable(Exception):
    """This peer cannot run at all here; the message says why."""


@dataclass(frozen=True)
class Runner:
    """A prepared problem.

    Attributes
    ----------
    call : callable
        Runs it once, as it is timed.
    codes : callable or None
        Output of the last call : (batch, *output_shape) int8, in our layout and with our zero
        point. None where the peer computes floats.
    note : str
        What differs from the problem as it was given, if anything.
    """

    call: Callable[[], Any]
    codes: Callable[[], np.ndarray] | None = None
    note: str = ""


class Peer(Protocol):
    """What a module of this package provides for each of its peers."""

    name: str
    version: str

    def prepare(self, problem: Problem, threads: int) -> Runner:
        """Prepare a problem.

        Raises
        ------
        Unsupported
        """
        ...


# Module of this package, the distributions it needs.
_FAMILIES = {
    "numpy": ("openblas", ("numpy",)),
    "onnxruntime": ("onnx_runtime", ("onnxruntime", "onnx")),
    "onnxruntime-exact": ("onnx_runtime", ("onnxruntime", "onnx")),
    "onnxruntime-s8s8": ("onnx_runtime", ("onnxruntime", "onnx")),
    "torch-fbgemm": ("pytorch", ("torch",)),
    "torch-onednn": ("pytorch", ("torch",)),
    "litert": ("litert", ("ai_edge_litert", "flatbuffers")),
}

NAMES = tuple(_FAMILIES)


def load(name: str) -> Peer:
    """Return the peer of that name.

    Raises
    ------
    Unavailable
        If what it needs is not installed, or does not run on this processor.
    """
    module, needs = _FAMILIES[name]
    for need in needs:
        try:
            importlib.import_module(need)
        except ImportError as fault:
            raise Unavailable(
                f"{need} is not installed (pip install '.[bench]'): {fault}"
            ) from fault
    family = importlib.import_module(f"bench.peers.{module}")
    peer: Peer = family.peer(name)
    return peer
