"""What is measured of the finished networks: agreement, time, memory."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from kdq_ref import infer, kernels
from kdq_ref.nn import Graph
from kdq_ref.quant import FakeQuantGraph

BATCH = 256
"""Images per call when a network is timed."""

_ROUNDS = 5
_SECONDS = 0.2


def us_per_image(function: Callable[[np.ndarray], Any], images: np.ndarray) -> float:
    """Best time of several rounds, in microseconds per image.

    Parameters
    ----------
    function : callable
        Called with the whole batch.
    images : (B, ...) ndarray
    """
    function(images)
    best = float("inf")
    for _ in range(_ROUNDS):
        calls, start = 0, time.perf_counter()
        while True:
            function(images)
            calls += 1
            elapsed = time.perf_counter() - start
            if elapsed > _SECONDS / _ROUNDS:
                break
        best = min(best, elapsed / calls)
    return best / len(images) * 1e6


def peak_memory_bytes() -> int | None:
    """Largest resident size of this process so far; None where the system does not say."""
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB, macOS bytes.
    return peak if sys.platform == "darwin" else peak * 1024


def cpu_name() -> str:
    """The processor's marketing name, as far as the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def integer_report(
    graph: infer.IntGraph,
    fake: FakeQuantGraph,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    isa: str | None,
    threads: int,
) -> dict[str, Any]:
    """Run a whole test set by the specification, in C, and fake-quantized; compare every code.

    Parameters
    ----------
    graph : IntGraph
    fake : FakeQuantGraph
        The same network as floats.
    images : (N, *input_shape) float32 ndarray
    labels : (N,) int64 ndarray
    isa, threads
        Of :class:`kdq_ref.infer.Engine`. Times are those of one thread.

    Returns
    -------
    dict
        JSON-able. ``bit_exact_spec_vs_c`` is None where the C core was not built.
    """
    engine = infer.Engine(graph, isa=isa, threads=threads)
    single = infer.Engine(graph, isa=isa)
    spec = infer.run(graph, images)
    codes = engine.run(images)
    fake_codes = fake.codes(images)
    batch = images[:BATCH]
    in_c = engine.backend == "c"

    def accuracy(q: np.ndarray) -> float:
        return float((q.argmax(axis=1) == labels).mean())

    return {
        "rule": graph.rule.name,
        "backend": engine.backend,
        "isa": engine.isa,
        "accuracy": accuracy(codes),
        "accuracy_spec": accuracy(spec),
        "accuracy_fakequant": accuracy(fake_codes),
        "bit_exact_spec_vs_c": bool(np.array_equal(codes, spec)) if in_c else None,
        "bit_exact_fakequant": bool(np.array_equal(fake_codes, spec)),
        "params": graph.count_parameters(),
        "bytes": graph.weight_bytes(),
        "macs": graph.macs(),
        "us_per_image": us_per_image(single.run, batch),
        "us_per_image_batch1": us_per_image(single.run, images[:1]),
        "us_per_image_spec": us_per_image(lambda x: infer.run(graph, x), batch),
        "arena_bytes": single.arena_bytes,
    }


def float_report(graph: Graph, images: np.ndarray) -> dict[str, Any]:
    """Time a float network in NumPy, as it stands, on one batch in one thread."""
    return {"us_per_image": us_per_image(graph, images[:BATCH])}


def machine_report() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cpu": cpu_name(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "core": kernels.core_available(),
    }
