"""Shared libraries: what cannot be used is refused with a reason, the rest is called."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from kdq_ref.errors import KernelUnavailableError
from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.grid import boundary_grid, random_choices
from kdq_ref.verify.kernel.library import Library
from kdq_ref.verify.kernel.matrices import gemm
from kdq_ref.verify.kernel.pipeline import compute
from kdq_ref.verify.kernel.trial import Call, Runner, Trial

ABI = get_abi("gemm_s8s8s32")


def _refused(path: Path, symbol: str = "x") -> str:
    with pytest.raises(KernelUnavailableError) as error:
        Library(path, symbol, ABI)
    return str(error.value)


def test_a_file_that_is_no_library(tmp_path: Path) -> None:
    """Missing, a directory, text: each named."""
    assert "No such file" in _refused(tmp_path / "none.so")
    assert str(tmp_path) in _refused(tmp_path)
    (tmp_path / "text.so").write_text("int x;")
    assert "no shared library" in _refused(tmp_path / "text.so")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files here")
def test_a_pipe_is_no_library(tmp_path: Path) -> None:
    """Nothing waits for it to be written."""
    os.mkfifo(tmp_path / "pipe.so")
    assert "is no file" in _refused(tmp_path / "pipe.so")


def test_a_library_of_another_machine(products: Path, tmp_path: Path) -> None:
    """Its machine and ours are named; nothing is loaded."""
    raw = bytearray(products.read_bytes())
    raw[18:20] = (22).to_bytes(2, "big" if raw[5] == 2 else "little")
    (tmp_path / "other.so").write_bytes(raw)
    message = _refused(tmp_path / "other.so")
    assert "built for s390x, but this machine is" in message


def test_a_damaged_library(products: Path, tmp_path: Path) -> None:
    """The loader's own words."""
    (tmp_path / "cut.so").write_bytes(products.read_bytes()[:200])
    assert "cannot be loaded" in _refused(tmp_path / "cut.so")


def test_a_program_is_no_library(build, tmp_path: Path) -> None:
    """An object file neither."""
    source = tmp_path / "object.c"
    source.write_text("int x(void) { return 0; }\n")
    assert "link it with -shared" in _refused(build(source, "-c", program=True))


def test_a_missing_symbol(products: Path) -> None:
    """The message says how to see what there is."""
    message = _refused(products, "my_gemm")
    assert "no symbol 'my_gemm'" in message
    assert "nm -D" in message


def test_a_library_that_dies_while_it_is_loaded(build, tmp_path: Path) -> None:
    """Its constructor runs in a child."""
    source = tmp_path / "dies.c"
    source.write_text(
        "#include <stdlib.h>\n__attribute__((constructor)) static void die(void) { abort(); }\n"
        "int x(void) { return 0; }\n"
    )
    assert "cannot be loaded: signal 6" in _refused(build(source))


def test_a_path_need_not_be_utf_8(products: Path, tmp_path: Path) -> None:
    """Neither to call a function without scratch memory nor to say what is wrong."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    library = shutil.copy(products, folder / "mine.so")
    call = Call(gemm(random_choices(0, 0), ABI, None, (3, 4, 5), ""))
    assert (
        Runner(Library(library, "wrong_minus_128", ABI), 30.0).alone(Trial((call,))).kind == "done"
    )
    assert "no symbol 'my_gemm'" in _refused(library, "my_gemm")
    damaged = folder / "damaged.so"
    damaged.write_bytes(products.read_bytes()[:64])
    assert "caf\\xe9/damaged.so" in _refused(damaged)


@pytest.mark.parametrize("symbol", ["tiled", "vectorised"])
def test_calls_come_back_right(right: Path, symbol: str) -> None:
    """With scratch memory where the library asks for it; what it refuses is refused."""
    library = Library(right, symbol, ABI)
    calls = [Call(problem) for problem in boundary_grid(ABI, None, 0)[:120]]
    outcomes = Runner(library, 30.0).run([Trial((call,)) for call in calls])
    for call, outcome in zip(calls, outcomes, strict=True):
        wanted = "refused" if symbol == "vectorised" and call.problem.sizes["k"] > 1024 else "done"
        assert outcome.kind == wanted
        if wanted == "done":
            expected = compute(call.problem, call.memory())
            np.testing.assert_array_equal(outcome.outputs[0], expected)


def test_calls_at_once_have_memory_of_their_own(right: Path) -> None:
    """Four threads, four results."""
    library = Library(right, "tiled", ABI)
    calls = tuple(Call(gemm(random_choices(2, n), ABI, None, (9, 17, 40), "")) for n in range(4))
    outcome = Runner(library, 30.0).alone(Trial(calls, together=True))
    for call, output in zip(calls, outcome.outputs, strict=True):
        np.testing.assert_array_equal(output, compute(call.problem, call.memory()))
