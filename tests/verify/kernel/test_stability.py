"""Results that depend on more than inputs: on which memory, on calls before, on calls at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.examination import long_problems
from kdq_ref.verify.kernel.grid import random_choices
from kdq_ref.verify.kernel.library import Library
from kdq_ref.verify.kernel.matrices import gemm
from kdq_ref.verify.kernel.stability import elements, is_right, race, unstable
from kdq_ref.verify.kernel.trial import Call, Outcome, Runner, Trial

ABI = get_abi("gemm_s8s8s32")

SOURCE = """
#include <stdlib.h>
#include <unistd.h>
#include <kdq_kernel_abi.h>
static int32_t fill(const kdq_abi_gemm *g, int32_t value)
{
    int32_t *c = g->c;
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++) c[i * g->ldc + j] = value;
    return 0;
}
int32_t heap(const kdq_abi_gemm *g)
{
    volatile int32_t *x = malloc(4096);
    int32_t value = x[500];
    free((void *)x);
    return fill(g, value);
}
int32_t process(const kdq_abi_gemm *g) { return fill(g, (int32_t)getpid()); }
int32_t counter(const kdq_abi_gemm *g) { static int32_t n; return fill(g, n++); }
int32_t constant(const kdq_abi_gemm *g) { return fill(g, 5); }
"""


@pytest.fixture(scope="module")
def odd(build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kernels that return something else than products."""
    source = tmp_path_factory.mktemp("odd") / "odd.c"
    source.write_text(SOURCE)
    return build(source)


def _call(number: int = 0, gaps: int = 0) -> Call:
    size = (3, 4, 5)
    return Call(gemm(random_choices(0, number), ABI, None, size, "", gaps=(gaps,) * 3))


def _cause(library: Path, symbol: str) -> str | None:
    found = unstable(Runner(Library(library, symbol, ABI), 30.0), _call(), [_call(1), _call(2)])
    return found and found.cause


@pytest.mark.parametrize(
    ("symbol", "cause"),
    [("process", "nondeterministic"), ("counter", "state"), ("constant", None)],
)
def test_what_a_result_depends_on(odd: Path, symbol: str, cause: str | None) -> None:
    """A wrong result that is always the same depends on nothing."""
    assert _cause(odd, symbol) == cause


def test_memory_from_malloc_is_dirty_too(odd: Path) -> None:
    """Where the C library can fill it."""
    found = _cause(odd, "heap")
    if found != "uninitialised_heap":
        pytest.skip(f"this C library cannot fill what malloc returns ({found})")


@pytest.mark.parametrize(
    ("symbol", "cause"),
    [
        ("wrong_scratch", "uninitialised_scratch"),
        ("wrong_stack", "uninitialised_stack"),
        ("wrong_last_row", None),
    ],
)
def test_fills_are_told_apart(products: Path, symbol: str, cause: str | None) -> None:
    """What is not written is no dependence: the diagnosis knows it."""
    assert _cause(products, symbol) == cause


def test_calls_before_matter_to_static_state(products: Path) -> None:
    """Right alone, wrong after a call of the same size."""
    runner = Runner(Library(products, "wrong_static_state", ABI), 30.0)
    found = unstable(runner, _call(), [_call(1)])
    assert found is not None
    assert found.cause == "state"
    assert len(found.trial.calls) == 2
    assert not is_right(found.trial.calls[-1], runner.alone(found.trial))
    assert is_right(_call(), runner.alone(Trial((_call(),))))


def _calls_at_once(longer: int) -> list[Call]:
    return [Call(problem) for problem in long_problems(ABI, None, 0, longer) * 2]


@pytest.fixture
def one_processor() -> Iterator[None]:
    """Let this thread, and what it starts, have a single processor."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system does not pin threads")
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    yield
    os.sched_setaffinity(0, allowed)


def test_a_race_needs_calls_at_once(products: Path) -> None:
    """What is found are calls to be made together."""
    found = race(Runner(Library(products, "wrong_thread_race", ABI), 30.0), _calls_at_once(32), 10)
    assert found is not None
    assert found.trial.together


class _LastWrong:
    """Runs calls one by one, and spoils the last output of those that are made together."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    def run(self, trials: Sequence[Trial]) -> list[Outcome]:
        """The outcomes."""
        outcomes = self.runner.run([Trial(trial.calls) for trial in trials])
        return [
            replace(o, outputs=(*o.outputs[:-1], o.outputs[-1] ^ 1)) if trial.together else o
            for o, trial in zip(outcomes, trials, strict=True)
        ]


def test_every_call_at_once_is_looked_at(right: Path) -> None:
    """Also the last one."""
    spoiled = _LastWrong(Runner(Library(right, "tiled", ABI), 30.0))
    found = race(spoiled, _calls_at_once(1), 2)  # type: ignore[arg-type]
    assert found is not None
    assert found.evidence.startswith("2 of 2 times")


@pytest.mark.usefixtures("one_processor")
def test_a_race_is_seen_on_one_processor(products: Path) -> None:
    """Calls longer than a time slice overlap there too."""
    racing = Runner(Library(products, "wrong_thread_race", ABI), 30.0)
    assert race(racing, _calls_at_once(32), 10) is not None


@pytest.mark.parametrize("longer", [1, 32])
def test_a_right_kernel_does_not_race(right: Path, longer: int) -> None:
    """However long its calls are."""
    assert race(Runner(Library(right, "tiled", ABI), 30.0), _calls_at_once(longer), 5) is None


def test_gaps_are_no_elements() -> None:
    """Two outputs that differ between rows only have the same elements."""
    call = _call(gaps=2)
    first, second = call.memory(), call.memory()
    second[4] ^= 1
    assert elements(call, first) == elements(call, second)
    second[0] ^= 1
    assert elements(call, first) != elements(call, second)
