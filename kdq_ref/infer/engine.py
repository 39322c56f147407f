"""``Engine``: an integer network compiled for the C core."""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue

import numpy as np

from kdq_ref import intref, kernels
from kdq_ref.checks import check_array, check_finite, check_positive_int
from kdq_ref.errors import InvalidArgumentError
from kdq_ref.infer.execution import run
from kdq_ref.infer.graph import INPUT, IntGraph

_SHARED_FROM = 40_000_000
"""MACs of an image, in layers that can be divided, from which waking a thread (0.1 ms) pays."""


_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def _start_again() -> None:
    """In a new process, before it has another thread: a fork copies locks, but no threads."""
    for engine in list(_engines):
        engine._start()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_again)


class Engine:
    """Runs an integer network, in C where the core was built, else by the specification.

    Both give the same bits, whatever the instruction set and the number of threads. An engine may
    be called from several threads at once, and in forked processes.

    Parameters
    ----------
    graph : IntGraph
    isa : str, optional
        Instruction set of the kernels; by default ``KDQ_ISA``, else the best this CPU has.
    threads : int
        The batch is split into this many runs. Where there are fewer images than threads, all of
        them share each image, line by line, if it is large enough for that to pay.

    Attributes
    ----------
    backend : str
        ``"c"`` or ``"spec"``.
    isa : str
        The kernel that runs, or ``"numpy"`` for the specification.
    arena_bytes : int
        Scratch memory, allocated here once: nothing is allocated by a call given ``out``, unless
        more callers than threads call at once.

    Raises
    ------
    KernelUnavailableError
        If ``isa`` (or ``KDQ_ISA``) names what cannot run here.
    """

    def __init__(self, graph: IntGraph, *, isa: str | None = None, threads: int = 1) -> None:
        self.graph = graph
        self.threads = check_positive_int("threads", threads)
        # Who names an instruction set wants C, or the error that says why there is none.
        named = isa is not None or bool(os.environ.get("KDQ_ISA"))
        self.backend = "c" if named or kernels.core_available() else "spec"
        self.isa, self.arena_bytes = "numpy", 0
        if self.backend == "spec":
            return
        self._plan = _compile(graph, isa)
        self.isa = self._plan.isa
        self._shared_bytes = self._plan.shared_arena_bytes(self.threads) if self._shares(1) else 0
        self.arena_bytes = self.threads * self._plan.arena_bytes + self._shared_bytes
        self._start()

    def _start(self) -> None:
        """Make what belongs to one process: arenas that nobody uses, and threads."""
        self._arenas: SimpleQueue[np.ndarray] = SimpleQueue()
        for _ in range(self.threads):
            self._arenas.put(np.empty(self._plan.arena_bytes, np.uint8))
        self._shared_arena = np.empty(self._shared_bytes, np.uint8)
        self._crew = kernels.Crew(self.threads - 1)
        _engines.add(self)

    def run(self, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return the network's output codes.

        Parameters
        ----------
        x : (B, *input_shape) float32 or int8 ndarray
            Real values (finite), or codes already quantized with the input scale.
        out : (B, *output_shape) int8 ndarray, optional
            Filled and returned; C-contiguous, writeable, apart from `x`.

        Returns
        -------
        (B, *output_shape) int8 ndarray

        Raises
        ------
        DTypeError, ShapeError, NotFiniteError, InvalidArgumentError
        """
        x, out = self._check(np.require(x, requirements=["C", "A"]), out)
        if self.backend == "spec":
            out[...] = run(self.graph, x)
            return out
        if self._shares(len(x)):
            self._run_shared(self._bind_shared(x, out, self._shared_arena), x)
        else:
            with self._some_arenas(len(pieces := self._split(x, out))) as arenas:
                pairs = zip(pieces, arenas, strict=True)
                self._run_parts([self._plan.bind(*piece, arena) for piece, arena in pairs], x)
        return out

    def bind(self, x: np.ndarray, out: np.ndarray | None = None) -> BoundEngine:
        """Check arrays once, for many runs on them: each then costs a microsecond more than C.

        Parameters
        ----------
        x, out : ndarray
            As for :meth:`run`, but ``x`` must be C-contiguous and aligned: its values are read at
            each call. Neither may be resized or made read-only while the engine is used.

        Raises
        ------
        DTypeError, ShapeError, InvalidArgumentError
        """
        x, out = self._check(x, out)
        if not (x.flags.c_contiguous and x.flags.aligned):
            raise InvalidArgumentError(
                "x must be C-contiguous and aligned to be bound; copy it first"
            )
        return BoundEngine(self, x, out)

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Return the output as real numbers : (B, *output_shape) float32."""
        return intref.dequantize(
            self.run(x), scale=self.graph.output_scale, zero_point=self.graph.output_zero_point
        )

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the class of each sample : (B,) int64, the first one on a tie."""
        return intref.argmax(self.run(x))

    def _split(self, x: np.ndarray, out: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """The parts of a batch, one for each thread."""
        parts = min(self.threads, max(1, len(x)))
        edges = [len(x) * i // parts for i in range(parts + 1)]
        return [(x[start:stop], out[start:stop]) for start, stop in itertools.pairwise(edges)]

    def threads_for(self, images: int) -> int:
        """How many threads work on a batch of that size."""
        if self.backend == "spec":
            return 1
        return self.threads if self._shares(images) else min(self.threads, max(1, images))

    def _shares(self, images: int) -> bool:
        return 0 < images < self.threads and self._plan.divisible_macs >= _SHARED_FROM

    def _bind_shared(
        self, x: np.ndarray, out: np.ndarray, arena: np.ndarray
    ) -> list[list[kernels.BoundShare]]:
        """A run of all threads for each image, one after the other."""
        pairs = [(x[i : i + 1], out[i : i + 1]) for i in range(len(x))]
        return [self._plan.bind_shared(*pair, arena, self.threads) for pair in pairs]

    def _run_shared(self, images: Sequence[list[kernels.BoundShare]], x: np.ndarray) -> None:
        if x.dtype != np.int8:  # before anything is written
            check_finite("x", x)
        for shares in images:
            self._crew.run(shares, start=shares[0].start, give_up=shares[0].give_up)

    def _run_parts(self, parts: Sequence[kernels.BoundPlan], x: np.ndarray) -> None:
        if len(parts) == 1:
            parts[0]()
            return
        if x.dtype != np.int8:  # before any part has written something
            check_finite("x", x)
        self._crew.run(parts)

    @contextmanager
    def _some_arenas(self, count: int) -> Iterator[list[np.ndarray]]:
        arenas = []
        try:
            for _ in range(count):
                try:
                    arenas.append(self._arenas.get_nowait())
                except Empty:  # more callers than threads, or one that was interrupted
                    arenas.append(np.empty(self._plan.arena_bytes, np.uint8))
            yield arenas
        finally:
            for arena in arenas:
                self._arenas.put(arena)

    def _check(self, x: np.ndarray, out: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        x = self.graph.check_input(x, finite=self.backend == "spec")  # C sees to it itself
        out = self._check_out(out, len(x))
        # Here, not part by part: one thread may not write what another one still reads.
        if np.may_share_memory(x, out):
            raise InvalidArgumentError("x and out must not share memory")
        return x, out

    def _check_out(self, out: np.ndarray | None, batch: int) -> np.ndarray:
        shape = (batch, *self.graph.output_shape)
        if out is None:
            return np.empty(shape, np.int8)
        check_array("out", out, dtype=np.int8, shape=shape)
        if not (isinstance(out, np.ndarray) and out.flags.c_contiguous and out.flags.writeable):
            raise InvalidArgumentError("out must be a writeable, C-contiguous ndarray")
        return out


class BoundEngine:
    """An engine and the arrays it runs on; calling it runs the network. Made by `Engine.bind`.

    It has arenas of its own: one call at a time, but beside any other run of the engine.

    Attributes
    ----------
    x, out : ndarray
        Read and filled by each call.
    """

    def __init__(self, engine: Engine, x: np.ndarray, out: np.ndarray) -> None:
        self.x, self.out = x, out
        self._engine = engine
        self._images, self._parts = self._bind(engine)

    def _bind(
        self, engine: Engine
    ) -> tuple[list[list[kernels.BoundShare]], list[kernels.BoundPlan]]:
        """Images that all threads share, or parts of the batch; neither without C."""
        if engine.backend == "spec":
            return [], []
        plan = engine._plan
        if engine._shares(len(self.x)):
            arena = np.empty(plan.shared_arena_bytes(engine.threads), np.uint8)
            return engine._bind_shared(self.x, self.out, arena), []
        return [], [
            plan.bind(x, out, np.empty(plan.arena_bytes_for(max(1, len(x))), np.uint8))
            for x, out in engine._split(self.x, self.out)
        ]

    def __call__(self) -> np.ndarray:
        """Run the network on what ``x`` holds now; return ``out``, filled.

        Raises
        ------
        NotFiniteError
            Nothing has been written then.
        """
        if len(self._parts) == 1:
            self._parts[0]()
        elif self._images:
            self._engine._run_shared(self._images, self.x)
        elif self._parts:
            self._engine._run_parts(self._parts, self.x)
        else:
            self._engine.run(self.x, self.out)
        return self.out


def _compile(graph: IntGraph, isa: str | None) -> kernels.Plan:
    """Hand every operator to the plan builder, whose methods are named like the operators."""
    builder = kernels.PlanBuilder(
        input_shape=graph.input_shape,
        input_scale=graph.input_scale,
        input_zero_point=graph.input_zero_point,
    )
    slots = {INPUT: 0}
    for node in graph.nodes:
        add_op = getattr(builder, node.op.kind)
        slots[node.name] = add_op(*(slots[name] for name in node.inputs), **node.op.keywords())
    return builder.build(output=slots[graph.output], isa=isa)
