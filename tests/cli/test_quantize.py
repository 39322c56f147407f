"""`kdq quantize`."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from kdq_ref import zoo
from kdq_ref.infer import load_model
from kdq_ref.train import save_float_model


def test_the_same_bytes_as_the_main_job(
    invoke, student: Path, integers: Path, tmp_path: Path
) -> None:
    """Quantizing the distilled student again gives the file that `kdq run` wrote."""
    copy = Path(shutil.copy(student, tmp_path / "s.safetensors"))
    outcome = invoke("quantize", copy)
    assert outcome.code == 0
    assert (tmp_path / "s_int8.safetensors").read_bytes() == integers.read_bytes()
    assert "calibrated on:" in outcome.stdout


def test_settings_reach_the_file(invoke, student: Path, tmp_path: Path) -> None:
    """Rule, observer, weights and the number of images are those asked for."""
    target = tmp_path / "q"
    outcome = invoke(
        *("quantize", student, "--out", target, "--json", "--samples", 50, "--data", "digits"),
        *("--rule", "double_rounding", "--observer", "percentile", "--weights", "per_tensor"),
    )
    report = outcome.json
    graph = load_model(target)
    assert graph.rule.name == report["rule"] == "double_rounding"
    assert graph.metadata["observer"] == report["observer"]
    assert report["observer"]["name"] == "percentile"
    assert report["weights"] == "per_tensor"
    assert report["samples"] == 50
    assert report["file_bytes"] == target.stat().st_size


def test_what_is_quantized_already(invoke, integers: Path) -> None:
    """An integer model is refused."""
    outcome = invoke("quantize", integers)
    assert outcome.code == 1
    assert "integer-model" in outcome.stderr


def test_unknown_origin(invoke, tmp_path: Path) -> None:
    """A model that does not say what it was made for needs --data."""
    graph = zoo.build("digits-student", np.random.default_rng(0))
    save_float_model(tmp_path / "m", graph)
    assert invoke("quantize", tmp_path / "m").code == 2
    assert invoke("quantize", tmp_path / "m", "--data", "digits", "--json").code == 0
    assert (tmp_path / "m_int8.safetensors").exists()


def test_nowhere_to_write(invoke, student: Path, tmp_path: Path) -> None:
    """A directory that does not exist is one line."""
    outcome = invoke("quantize", student, "--out", tmp_path / "no" / "q")
    assert outcome.code == 1
    assert outcome.stderr.count("\n") == 1
