"""The engine equals the specification: any ISA, any threads, any caller."""

from __future__ import annotations

import os
import signal
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies.int_networks import residual_network

from kdq_ref import infer, intref, kernels
from kdq_ref.errors import (
    DTypeError,
    InvalidArgumentError,
    KernelUnavailableError,
    NotFiniteError,
    RangeError,
    ShapeError,
)
from kdq_ref.infer import engine as module
from kdq_ref.rounding import RULES

ISAS = [None, "ref", *kernels.available_isas()] if kernels.core_available() else [None]
needs_core = pytest.mark.skipif(not kernels.core_available(), reason="the C core is not built")


@pytest.fixture(scope="module", autouse=True, params=["batch", "image"])
def _what_threads_share(request: pytest.FixtureRequest) -> Iterator[None]:
    """Everything twice: images are too small to be shared by threads; images are always shared."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "image":
            patch.setattr(module, "_SHARED_FROM", 0)
        yield


def _images(seed: int, batch: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((batch, 6, 5, 3), dtype=np.float32)


@pytest.mark.parametrize("isa", ISAS)
@settings(max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(sorted(RULES)),
    st.sampled_from([0, 1, 2, 3, 5, 33, 70]),
    st.integers(1, 3),
)
def test_engine_equals_the_specification(
    isa: str | None, seed: int, rule: str, batch: int, threads: int
) -> None:
    """Every operator, rule, batch around the tile and number of threads: the same bits."""
    graph = residual_network(seed, rule)
    x = _images(seed, batch)
    engine = infer.Engine(graph, isa=isa, threads=threads)
    np.testing.assert_array_equal(engine.run(x), infer.run(graph, x))


def test_logits_and_classes_follow_from_the_codes() -> None:
    """logits dequantizes, predict takes the first largest code."""
    graph = residual_network(3)
    x = _images(0, 9)
    engine = infer.Engine(graph)
    codes = infer.run(graph, x)
    expected = intref.dequantize(
        codes, scale=graph.output_scale, zero_point=graph.output_zero_point
    )
    np.testing.assert_array_equal(engine.logits(x), expected)
    np.testing.assert_array_equal(engine.predict(x), intref.argmax(codes))


def test_any_memory_layout_is_accepted() -> None:
    """Strided, reversed, read-only and int8 input give what a plain copy gives."""
    graph = residual_network(4)
    engine = infer.Engine(graph)
    x = _images(1, 8)
    frozen = x.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(engine.run(frozen), engine.run(x))
    for view in (x[::2], x[::-1], np.asfortranarray(x)):
        np.testing.assert_array_equal(engine.run(view), engine.run(view.copy()))
    codes = intref.quantize(x, scale=graph.input_scale, zero_point=graph.input_zero_point)
    np.testing.assert_array_equal(engine.run(codes), engine.run(x))


def test_out_is_filled_and_returned() -> None:
    """The caller's array is the result; nothing else is accepted in its place."""
    graph = residual_network(5)
    engine = infer.Engine(graph)
    x = _images(2, 4)
    out = np.empty((4, 4), np.int8)
    assert engine.run(x, out) is out
    np.testing.assert_array_equal(out, infer.run(graph, x))
    with pytest.raises(ShapeError, match="out"):
        engine.run(x, out[:3])
    with pytest.raises(DTypeError, match="out"):
        engine.run(x, out.astype(np.int32))
    with pytest.raises(InvalidArgumentError, match="C-contiguous"):
        engine.run(x, np.empty((4, 8), np.int8)[:, ::2])
    out.flags.writeable = False
    with pytest.raises(InvalidArgumentError, match="writeable"):
        engine.run(x, out)


def test_threads_must_be_positive() -> None:
    """Zero threads would run nothing."""
    with pytest.raises(RangeError, match="threads"):
        infer.Engine(residual_network(0), threads=0)


@needs_core
@pytest.mark.parametrize(("threads", "batch"), [(2, 40), (3, 1), (4, 2)])
def test_many_callers_share_one_engine(threads: int, batch: int) -> None:
    """Eight threads calling an engine at once all get the specification's bits."""
    graph = residual_network(6)
    engine = infer.Engine(graph, threads=threads)
    inputs = [_images(i, batch) for i in range(8)]
    expected = [infer.run(graph, x) for x in inputs]
    wrong: list[int] = []

    def call(i: int) -> None:
        for _ in range(30):
            if not np.array_equal(engine.run(inputs[i]), expected[i]):
                wrong.append(i)

    callers = [threading.Thread(target=call, args=(i,)) for i in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert wrong == []


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("batch", [0, 1, 2, 7])
def test_a_bound_engine_reads_its_arrays_at_each_call(threads: int, batch: int) -> None:
    """New values in the same memory give new results; other runs do not disturb it."""
    graph = residual_network(7)
    engine = infer.Engine(graph, threads=threads)
    x, out = _images(0, batch).copy(), np.empty((batch, 4), np.int8)
    bound = engine.bind(x, out)
    for seed in (1, 2):
        x[...] = _images(seed, batch)
        engine.run(_images(3, 5))
        assert bound() is out
        np.testing.assert_array_equal(out, infer.run(graph, x))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_bound_engine_refuses_what_is_not_finite(threads: int) -> None:
    """At the call, not before; and nothing is written."""
    engine = infer.Engine(residual_network(7), threads=threads)
    x = _images(0, 4).copy()
    bound = engine.bind(x)
    wanted = bound().copy()
    x[3, 0, 0, 0] = np.nan
    with pytest.raises(NotFiniteError):
        bound()
    np.testing.assert_array_equal(bound.out, wanted)


def _starts_but_for_the_second() -> Callable[[threading.Thread], None]:
    start, starts = threading.Thread.start, []

    def start_or_refuse(thread: threading.Thread) -> None:
        starts.append(thread)
        if len(starts) == 2:
            raise RuntimeError("can't start new thread")
        start(thread)

    return start_or_refuse


@needs_core
@pytest.mark.parametrize("batch", [1, 9])
def test_a_thread_that_cannot_start_is_an_error(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that began do not wait for it for ever, and the engine goes on working."""
    graph = residual_network(7)
    x = _images(4, batch)
    expected = infer.run(graph, x)
    for bind in (False, True):
        engine = infer.Engine(graph, threads=4)
        run = engine.bind(x) if bind else partial(engine.run, x)
        refuse_the_second = _starts_but_for_the_second()

        if engine.threads_for(batch) > 1:
            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", refuse_the_second)
                with pytest.raises(RuntimeError, match="new thread"):
                    run()
        for _ in range(3):
            np.testing.assert_array_equal(run(), expected)


@needs_core
def test_a_lost_arena_is_made_again() -> None:
    """An interruption at the wrong moment may take one along; nobody waits for it."""
    engine = infer.Engine(residual_network(7))
    engine._arenas.get()
    np.testing.assert_array_equal(engine.run(_images(0, 2)), infer.run(engine.graph, _images(0, 2)))


@pytest.mark.parametrize("threads", [1, 2])
def test_misaligned_images_are_copied(threads: int) -> None:
    """Also where threads share them."""
    engine = infer.Engine(residual_network(7), threads=threads)
    x = np.zeros(1 + 90 * 4, np.uint8)[1:].view(np.float32).reshape(1, 6, 5, 3)
    np.testing.assert_array_equal(engine.run(x), infer.run(engine.graph, x))


def test_only_contiguous_arrays_can_be_bound() -> None:
    """A copy would not see later values."""
    with pytest.raises(InvalidArgumentError, match="contiguous"):
        infer.Engine(residual_network(7)).bind(_images(0, 8)[::2])


@needs_core
def test_a_call_allocates_nothing_that_grows() -> None:
    """With ``out`` given, 100 calls leave no memory behind and never hold a batch-sized array."""
    # That the C core itself cannot allocate is tested on the object file, in tests/kernels.
    graph = residual_network(7)
    engine = infer.Engine(graph)
    x = _images(0, 512)
    out = np.empty((512, 4), np.int8)
    engine.run(x, out)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(100):
            engine.run(x, out)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 4096
    assert peak - before < 4096


@needs_core
def test_an_unknown_isa_is_refused() -> None:
    """The message names what there is."""
    with pytest.raises(KernelUnavailableError, match="scalar"):
        infer.Engine(residual_network(0), isa="avx1024")


def test_the_environment_names_an_isa_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """KDQ_ISA is never ignored: what it names runs, or the reason why not is raised."""
    monkeypatch.setenv("KDQ_ISA", "avx1024")
    with pytest.raises(KernelUnavailableError):
        infer.Engine(residual_network(0))


def test_without_the_core_the_specification_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiler at install time: the same results, slower."""
    monkeypatch.delenv("KDQ_ISA", raising=False)
    graph = residual_network(8)
    expected = infer.run(graph, _images(3, 5))
    monkeypatch.setattr(kernels, "core_available", lambda: False)
    engine = infer.Engine(graph, threads=2)
    assert (engine.backend, engine.isa) == ("spec", "numpy")
    np.testing.assert_array_equal(engine.run(_images(3, 5)), expected)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_input_and_output_may_not_overlap(threads: int) -> None:
    """Not even where no thread's part of one meets its own part of the other."""
    table = np.roll(np.arange(-128, 128), 1).astype(np.int8)
    node = infer.IntNode("table", infer.Lookup(table), ("input",), 1.0, 0)
    graph = infer.IntGraph((4,), 1.0, 0, (node,), "table", RULES["single_rounding"])
    engine = infer.Engine(graph, threads=threads)
    buffer = np.zeros((12, 4), np.int8)
    with pytest.raises(InvalidArgumentError, match="must not share memory"):
        engine.run(buffer[:8], buffer[4:])
    engine.run(buffer[:6], buffer[6:])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("batch", [1, 8])
def test_an_engine_survives_a_fork(batch: int) -> None:
    """The child has none of the parent's threads; it makes its own instead of waiting for them."""
    graph = residual_network(7)
    x = _images(2, batch)
    engine = infer.Engine(graph, threads=2)
    expected = engine.run(x)
    bound = engine.bind(x)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        wrong: list[bool] = []

        def call() -> None:
            wrong.extend(not np.array_equal(engine.run(x), expected) for _ in range(5))

        callers = [threading.Thread(target=call) for _ in range(4)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        os._exit(int(any(wrong) or not np.array_equal(bound(), expected)))
    assert os.waitpid(child, 0)[1] == 0
