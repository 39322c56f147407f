"""`kdq train`, and how it is interrupted."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from kdq_ref.train import load_float_model

ARGUMENTS = ("train", "--net", "digits-student", "--seed", 3, "--epochs")


def test_a_trained_model(invoke, tmp_path: Path) -> None:
    """The report says what the file holds; progress is on standard error only."""
    outcome = invoke(*ARGUMENTS, 1, "--lr", 0.05, "--out", tmp_path / "t", "--json")
    assert outcome.code == 0
    report = outcome.json
    graph, metadata = load_float_model(tmp_path / "t" / report["files"]["model"])
    assert graph.count_parameters() == report["params"]
    assert metadata["test_accuracy"] == report["accuracy"]
    assert metadata["seed"] == report["seed"] == 3
    assert outcome.stderr.startswith("digits-student: epoch 1/1")
    assert all((tmp_path / "t" / name).exists() for name in report["files"].values())


def test_the_teacher_is_that_of_the_main_job(invoke, teacher: Path, tmp_path: Path) -> None:
    """Without other options it is trained to the same bits as by `kdq run`."""
    outcome = invoke("train", "--epochs", 1, "--out", tmp_path, "--quiet")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert (tmp_path / "model.safetensors").read_bytes() == teacher.read_bytes()
    assert "test accuracy:" in outcome.stdout


def test_few_labels(invoke, tmp_path: Path) -> None:
    """The number of kept labels is part of the report and of the default directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        outcome = invoke(*ARGUMENTS, 1, "--labels", 50, "--json", "-q")
    assert outcome.json["labels"] == 50
    assert outcome.json["directory"] == "runs/digits-labels50-digits-student-seed3"


def test_a_network_for_other_images(invoke, tmp_path: Path) -> None:
    """The dataset does not fit: one line, nothing trained."""
    outcome = invoke("train", "--net", "mlp", "--out", tmp_path / "t")
    assert outcome.code == 1
    assert "(28, 28, 1)" in outcome.stderr
    assert not (tmp_path / "t").exists()


def test_ctrl_c_and_resume_give_the_same_bytes(command, invoke, tmp_path: Path) -> None:
    """Exit code 130 with advice; resumed, the model equals that of an uninterrupted run."""
    process = command(*ARGUMENTS, 20, "--out", tmp_path / "cut")
    assert "epoch 1/20" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert out == ""
    assert "stopped by SIGINT" in err
    assert err.endswith("--resume\n")
    assert "Traceback" not in err
    assert not (tmp_path / "cut" / "model.safetensors").exists()

    resumed = invoke(*ARGUMENTS, 20, "--out", tmp_path / "cut", "--resume")
    assert resumed.code == 0
    assert "resumed after epoch" in resumed.stderr
    assert invoke(*ARGUMENTS, 20, "--out", tmp_path / "whole", "-q").code == 0
    for name in ("model", "best"):
        file = f"{name}.safetensors"
        assert (tmp_path / "cut" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_resuming_another_run(invoke, tmp_path: Path) -> None:
    """Other settings are refused, naming what differs."""
    assert invoke(*ARGUMENTS, 1, "--out", tmp_path, "-q").code == 0
    outcome = invoke(*ARGUMENTS, 1, "--out", tmp_path, "--resume", "--lr", 0.5)
    assert outcome.code == 1
    assert "config.lr" in outcome.stderr
