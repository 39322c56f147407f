"""`kdq distill`."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdq_ref.cli.application import kdq


def test_the_student_is_that_of_the_main_job(
    invoke, teacher: Path, student: Path, tmp_path: Path
) -> None:
    """With the same teacher and no other options it has the same bits as after `kdq run`."""
    outcome = invoke("distill", "--teacher", teacher, "--epochs", 1, "--out", tmp_path, "--json")
    assert outcome.code == 0
    assert outcome.json["objective"]["method"] == "soft_target"
    assert (tmp_path / "model.safetensors").read_bytes() == student.read_bytes()


def test_soft_labels_are_written_once_then_read(invoke, teacher: Path, tmp_path: Path) -> None:
    """The second run needs no teacher and gives the same student."""
    common = ("--soft-labels", tmp_path / "logits", "--epochs", 1, "--labels", 100, "-q")
    first = invoke("distill", "--teacher", teacher, *common, "--out", tmp_path / "a")
    assert first.code == 0
    assert "digits-student" in first.stdout
    written = (tmp_path / "logits").read_bytes()
    assert invoke("distill", *common, "--out", tmp_path / "b").code == 0
    assert (tmp_path / "logits").read_bytes() == written
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ab"]
    assert models[0] == models[1]


def test_soft_labels_of_another_teacher(
    invoke, teacher: Path, student: Path, tmp_path: Path
) -> None:
    """Labels that the teacher did not give are refused."""
    common = ("--soft-labels", tmp_path / "logits", "--epochs", 1, "--out", tmp_path / "o", "-q")
    assert invoke("distill", "--teacher", teacher, *common).code == 0
    outcome = invoke("distill", "--teacher", student, *common)
    assert outcome.code == 1
    assert "another teacher" in outcome.stderr


def test_nobody_teaches(invoke, tmp_path: Path) -> None:
    """Neither a teacher nor the file of soft labels: wrong usage."""
    assert invoke("distill").code == 2
    assert invoke("distill", "--soft-labels", tmp_path / "none").code == 2


def test_an_integer_teacher(invoke, integers: Path) -> None:
    """The teacher is a float model; the message says what the file holds."""
    outcome = invoke("distill", "--teacher", integers)
    assert outcome.code == 1
    assert "integer-model" in outcome.stderr


@pytest.mark.parametrize("method", ["logit_matching", "soft_label_cross_entropy"])
def test_methods_without_temperature(method: str, invoke, teacher: Path, tmp_path: Path) -> None:
    """Every method runs; a temperature where there is none is an error."""
    arguments = ("distill", "--teacher", teacher, "--method", method, "--epochs", 1, "-q")
    outcome = invoke(*arguments, "--out", tmp_path, "--lam", 0.5, "--json")
    assert outcome.json["objective"]["lam"] == 0.5
    assert outcome.json["objective"]["temperature"] is None
    assert invoke(*arguments, "--temperature", 2).code == 1


def test_it_is_a_command() -> None:
    """The group finds it."""
    assert "distill" in kdq.list_commands(kdq.make_context("kdq", ["info"]))
