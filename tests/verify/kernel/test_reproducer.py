"""Reproducers: C files that compile by themselves, and fail exactly as long as the kernel does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kdq_ref.verify import verify_library
from kdq_ref.verify.kernel import evidence
from kdq_ref.verify.kernel.reproducer import _comment, _string, reproducer

CASES = [
    ("minus_128", "gemm_s8s8s32", "expected 128, got 127"),
    ("over_read", "gemm_s8s8s32", "the kernel crashes"),
    ("hang", "gemm_s8s8s32", "the kernel does not return"),
    ("static_state", "gemm_s8s8s32", "call 1"),
    ("thread_race", "gemm_s8s8s32", "reproduced"),
    ("channel_off_by_one", "requantize", "expected"),
    ("padding", "conv2d_s8", "expected"),
]


@pytest.mark.parametrize(("name", "abi", "printed"), CASES)
def test_a_finding_is_repeated(
    products: Path,
    layers: Path,
    right: Path,
    compiler: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    abi: str,
    printed: str,
) -> None:
    """It compiles without a warning, exits with 1 and says what was expected."""
    monkeypatch.setattr(evidence, "SWEEPS", 2)
    library = products if abi == "gemm_s8s8s32" else layers
    rule = None if abi == "gemm_s8s8s32" else "double_rounding"
    limit = 1.0 if name == "hang" else 60.0
    verdict = verify_library(library, f"wrong_{name}", abi=abi, rule=rule, seconds=0, limit=limit)
    source = tmp_path / "reproduce.c"
    source.write_text(reproducer(verdict.findings[0], library, f"wrong_{name}", limit))
    program = tmp_path / "reproduce"
    command = [*compiler, "-Wall", "-Wextra", "-Werror", "-o", str(program), str(source)]
    subprocess.run([*command, "-ldl", "-lpthread"], check=True)
    ran = subprocess.run([program], capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert printed in ran.stdout
    missing = subprocess.run(
        [program, tmp_path / "none.so"], capture_output=True, text=True, check=False
    )
    assert missing.returncode == 2
    assert "none.so" in missing.stderr


def test_a_right_kernel_is_not_blamed(
    products: Path, build, compiler: list[str], tmp_path: Path
) -> None:
    """The same program, with a kernel of that name that is right, exits with 0."""
    verdict = verify_library(products, "wrong_k_tail", abi="gemm_s8s8s32", seconds=0)
    source = tmp_path / "reproduce.c"
    source.write_text(reproducer(verdict.findings[0], products, "wrong_k_tail", 60))
    right = Path(__file__).parent / "right_kernels" / "dense.c"
    renamed = build(
        right, "-Dtiled=wrong_k_tail", "-Dtiled_scratch_bytes=wrong_k_tail_scratch_bytes"
    )
    program = build(source, program=True)
    ran = subprocess.run([program, renamed], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "not reproduced: every result is right\n")


def test_names_cannot_break_out_of_the_file() -> None:
    """Quotes, control characters and ends of comments are spelt."""
    assert _string('a"b\\?\n') == '"a\\042b\\134\\077\\012"'
    assert _comment("ends */ here\n") == "ends * / here "
