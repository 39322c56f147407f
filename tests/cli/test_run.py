"""`kdq run`: the main job."""

from __future__ import annotations

import copy
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from kdq_ref import kernels
from kdq_ref.cli import output
from kdq_ref.cli.run import require_agreement, show
from kdq_ref.errors import KdqError


def test_one_json_object_with_everything(job, report: dict[str, Any]) -> None:
    """Exit code 0, the keys of the report, progress on standard error alone."""
    _, outcome = job
    assert outcome.code == 0
    assert outcome.stderr.count("\n") == 3
    assert {"dataset", "seed", "seconds", "peak_memory_bytes", "machine"} <= report.keys()
    for name in ("teacher", "student_scratch", "student_distilled", "int8"):
        assert {"accuracy", "params", "bytes"} <= report[name].keys()
    int8 = report["int8"]
    assert {"accuracy_spec", "us_per_image", "arena_bytes"} <= int8.keys()
    assert int8["bit_exact_fakequant"] is True
    assert int8["bit_exact_spec_vs_c"] is (True if kernels.core_available() else None)
    assert report["float"]["us_per_image"] > 0


def test_every_artefact_is_there(job, report: dict[str, Any]) -> None:
    """Files named in the report exist, and report.json is the report."""
    directory, _ = job
    for name in report["files"].values():
        assert (directory / name).is_file()
    assert json.loads((directory / report["files"]["report"]).read_text()) == report


def test_the_table(report: dict[str, Any], capsys) -> None:
    """One row per network, then the verdicts, in words."""
    show(report)
    printed = capsys.readouterr().out
    rows = ["teacher", "student from scratch", "distilled student", "int8 by NumPy spec"]
    if kernels.core_available():
        rows.append(f"int8 by C ({report['int8']['isa']})")
    for words in (*rows, "µs per image", "fake-quantized = NumPy spec:  yes", report["directory"]):
        assert words in printed
    table = [re.split(r"\s{2,}", line.strip()) for line in printed.splitlines()]
    cells = {row[0]: row[1:] for row in table if len(row) == 6}
    for name, key in (
        ("teacher", "teacher"),
        ("student from scratch, same budget", "student_scratch"),
        ("distilled student", "student_distilled"),
    ):
        assert cells[name][-1] == output.micros(report[key]["us_per_image"])


def test_unknown_memory(report: dict[str, Any], capsys) -> None:
    """Where the system does not tell the peak, the table does not either."""
    show(report | {"peak_memory_bytes": None})
    printed = capsys.readouterr().out
    assert "MiB" not in printed
    assert "engine: " in printed


def test_the_table_without_the_core(report: dict[str, Any], capsys) -> None:
    """No row for C, and no claim about it."""
    other = copy.deepcopy(report)
    other["int8"] |= {"backend": "spec", "isa": "numpy", "bit_exact_spec_vs_c": None}
    other["labels"] = 30
    show(other)
    printed = capsys.readouterr().out
    assert "int8 by C" not in printed
    assert "not compared" in printed
    assert "30 labels" in printed
    require_agreement(other["int8"])


@pytest.mark.parametrize("key", ["bit_exact_spec_vs_c", "bit_exact_fakequant"])
def test_a_difference_is_an_error(key: str, report: dict[str, Any]) -> None:
    """Codes that differ end in exit code 1."""
    with pytest.raises(KdqError, match="differ"):
        require_agreement(report["int8"] | {key: False})


def test_an_unknown_isa_is_found_before_training(invoke, tmp_path: Path) -> None:
    """Nobody waits for a training whose result cannot be run."""
    outcome = invoke("run", "--isa", "mmx", "--out", tmp_path / "r")
    assert outcome.code == 1
    assert outcome.stderr.startswith("kdq: error: ")
    assert not (tmp_path / "r").exists()


def test_ctrl_c_and_resume_give_the_same_bytes(job, command, invoke, tmp_path: Path) -> None:
    """Stopped between two networks and resumed, the main job ends in the same integer model."""
    directory, _ = job
    arguments = ("run", "--epochs", 1, "--out", tmp_path / "r")
    process = command(*arguments)
    assert process.stderr.readline().startswith("teacher: epoch 1/1")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert out == ""
    assert err.endswith(f"kdq: to go on: kdq run --epochs 1 --out {tmp_path / 'r'} --resume\n")
    resumed = invoke(*arguments, "--resume")
    assert resumed.code == 0
    name = "student_int8.safetensors"
    assert (tmp_path / "r" / name).read_bytes() == (directory / name).read_bytes()


def test_few_labels(invoke, tmp_path: Path) -> None:
    """The few-label setting runs; the default directory says so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        outcome = invoke("run", "--labels", 60, "--seed", 2, "--epochs", 1, "--json", "-q")
    assert outcome.stderr == ""
    assert outcome.json["labels"] == 60
    assert outcome.json["directory"] == "runs/digits-labels60-seed2"
