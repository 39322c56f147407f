"""Faults of memory: which array, which end, how far."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.grid import random_choices
from kdq_ref.verify.kernel.library import Library
from kdq_ref.verify.kernel.matrices import gemm
from kdq_ref.verify.kernel.memory_faults import explain_death, shown, signal_name
from kdq_ref.verify.kernel.trial import Call, Runner, Setting, Trial

ABI = get_abi("gemm_s8s8s32")

SOURCE = """
#include <kdq_kernel_abi.h>
#include <stdlib.h>
#define READ(name, at) int32_t name(const kdq_abi_gemm *g) \\
    { return 0 * *(volatile const int8_t *)(at); }
#define WRITE(name, at) int32_t name(const kdq_abi_gemm *g) \\
    { *(volatile int8_t *)(at) = 0; return 0; }
READ(a_past, (const int8_t *)g->a + g->m * g->k + 699)
READ(b_before, g->b - 1)
READ(bias_free, (const char *)16)
WRITE(c_past, (char *)g->c + 4 * g->m * g->n + 8)
WRITE(c_before, (char *)g->c - 4)
WRITE(b_past, (char *)(uintptr_t)g->b + g->k * g->n)
int32_t aborts(const kdq_abi_gemm *g) { abort(); }
"""


@pytest.fixture(scope="module")
def leaving(build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kernels that leave their arrays."""
    source = tmp_path_factory.mktemp("leaving") / "leaving.c"
    source.write_text(SOURCE)
    return build(source)


@pytest.mark.parametrize(
    ("symbol", "at_end", "words"),
    [
        ("a_past", True, "reads 700 bytes past A"),
        ("b_before", False, "reads 1 byte before B"),
        ("c_past", True, "writes 12 bytes past C"),
        ("c_before", False, "writes 4 bytes before C"),
        ("b_past", True, "writes 1 byte past B"),
        ("bias_free", True, "crashes (SIGSEGV), and not at the bounds of an array"),
        ("aborts", True, "aborts (SIGABRT)"),
    ],
)
def test_a_fault_has_a_place(leaving: Path, symbol: str, at_end: bool, words: str) -> None:
    """To the byte, and to the element for wider types."""
    runner = Runner(Library(leaving, symbol, ABI), 30.0)
    problem = gemm(random_choices(0, 0), ABI, None, (3, 5, 7), "")
    call = Call(problem, Setting(at_end=at_end))
    outcome = runner.alone(Trial((call,)))
    assert outcome.kind == "signal"
    (fault,) = explain_death(runner, call, outcome)
    assert fault.words == words
    assert runner.alone(Trial((fault.call,))).kind == "signal"


def test_names() -> None:
    """Of signals and of arrays."""
    assert signal_name(signal.SIGBUS) == "SIGBUS"
    assert signal_name(250) == "signal 250"
    assert (shown("a"), shown("bias")) == ("A", "bias")
