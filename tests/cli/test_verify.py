"""``kdq verify``: exit codes, JSON, reproducers, and the files that a user copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdq_ref.verify.kernel import evidence
from kdq_ref.verify.kernel.abi import asset


@pytest.fixture(autouse=True)
def _few_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """How much evidence there is is tested elsewhere."""
    monkeypatch.setattr(evidence, "SWEEPS", 2)


def _verify(invoke, library: Path, *more: object):
    named = ("--lib", library, "--symbol", "example_gemm", "--abi", "gemm_s8s8s8")
    return invoke("verify", *named, "--seconds", 0, *more)


def test_the_example_passes(invoke, example_library: Path) -> None:
    """Exit code 0 and one word to begin with."""
    outcome = _verify(invoke, example_library, "--rule", "double_rounding")
    assert outcome.code == 0, outcome.stdout
    assert outcome.stdout.startswith("right: gemm_s8s8s8, double_rounding: every bit")


def test_a_wrong_kernel_is_a_verdict_and_a_file(
    invoke, example_library: Path, tmp_path: Path
) -> None:
    """Exit code 1; what is wrong; a reproducer for every finding."""
    target = tmp_path / "reproduce.c"
    outcome = _verify(invoke, example_library, "--rule", "onnx_spec", "--reproducer", target)
    assert outcome.code == 1
    assert "* your requantization is `double_rounding`" in outcome.stdout
    assert f"reproducer: {target}" in outcome.stdout
    assert '#define SYMBOL "example_gemm"' in target.read_text()
    assert _verify(invoke, example_library, "--reproducer", target).code == 1  # it is ours


def test_a_file_of_the_users_is_not_replaced(invoke, example_library: Path, tmp_path: Path) -> None:
    """Neither by the first reproducer nor by a further one."""
    for taken in ("mine.c", "mine-2.c"):
        (tmp_path / taken).write_text("int mine;")
        outcome = _verify(invoke, example_library, "--reproducer", tmp_path / "mine.c")
        assert (outcome.code, f"{taken} was not made by" in outcome.stderr) == (2, True)
        assert (tmp_path / taken).read_text() == "int mine;"
        (tmp_path / taken).unlink()


def test_json_is_one_object(invoke, example_library: Path) -> None:
    """With the smallest case in full."""
    outcome = _verify(invoke, example_library, "--json")
    assert outcome.code == 1
    assert outcome.json["passed"] is False
    assert outcome.json["rule"] == "single_rounding"
    assert outcome.json["symbol"] == "example_gemm"
    assert outcome.json["findings"][0]["cause"] == "rule_double_rounding"
    assert outcome.json["findings"][0]["calls"][0]["m"] == 1


def test_header_and_example_are_those_of_the_package(invoke) -> None:
    """To the byte."""
    assert invoke("verify", "--print-header").stdout == asset("kdq_kernel_abi.h")
    assert invoke("verify", "--print-example").stdout == asset("example.c")


def test_what_is_missing_is_said(invoke, tmp_path: Path) -> None:
    """Options are usage, a library that is not there an error."""
    assert invoke("verify").code == 2
    assert invoke("verify", "--lib", "x", "--symbol", "x", "--abi", "gemm").code == 2
    names = ("--symbol", "x", "--abi", "requantize", "--reproducer")
    outcome = invoke("verify", "--lib", "x.so", *names, "x.so")
    assert (outcome.code, ".c" in outcome.stderr) == (2, True)
    outcome = invoke("verify", "--lib", "x.so", *names, tmp_path / "none" / "x.c")
    assert (outcome.code, "there is no folder" in outcome.stderr) == (2, True)
    outcome = invoke(
        "verify", "--lib", tmp_path / "none.so", "--symbol", "x", "--abi", "gemm_s8s8s32"
    )
    assert outcome.code == 1
    assert outcome.stderr.startswith(f"kdq: error: {tmp_path}/none.so: No such file")
    outcome = invoke(
        "verify",
        *("--lib", "x", "--symbol", "x", "--abi", "gemm_s8s8s32", "--rule", "fbgemm"),
    )
    assert outcome.code == 1
    assert "no rounding rule applies" in outcome.stderr
