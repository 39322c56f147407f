"""`kdq quantize`."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kdq_ref import data, quant, zoo
from kdq_ref.cli.sample import choose
from kdq_ref.infer import load_model
from kdq_ref.train import load_float_model, save_float_model


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
    assert report["calibration_seed"] is None
    assert not {"calibration_seed", "calibration_samples"} & set(graph.metadata)
    assert report["file_bytes"] == target.stat().st_size


def test_a_seed_draws_the_calibration_images(invoke, student: Path, tmp_path: Path) -> None:
    """The same seed gives the same bytes, another one other scales; the file says which it was."""

    def quantized(name: str, seed: int) -> bytes:
        target = tmp_path / name
        outcome = invoke(
            *("quantize", student, "--out", target, "--json", "--samples", 20, "--seed", seed)
        )
        assert (outcome.json["samples"], outcome.json["calibration_seed"]) == (20, seed)
        return target.read_bytes()

    assert quantized("a", 3) == quantized("b", 3) != quantized("c", 4)
    drawn, other = load_model(tmp_path / "a"), load_model(tmp_path / "c")
    assert [node.scale for node in drawn.nodes] != [node.scale for node in other.nodes]
    kept = {key: drawn.metadata[key] for key in ("seed", "calibration_seed", "calibration_samples")}
    assert kept == {"seed": 0, "calibration_seed": 3, "calibration_samples": 20}
    outcome = invoke("quantize", student, "--out", tmp_path / "a", "--samples", 20, "--seed", 3)
    assert "20 training images of digits, drawn with seed 3" in outcome.stdout


def test_the_calibration_images_are_the_drawn_ones(invoke, student: Path, tmp_path: Path) -> None:
    """Scales are those of calibrating by hand on the images that the seed chooses."""
    assert invoke("quantize", student, "--out", tmp_path / "q", "--seed", 5).code == 0
    integers = load_model(tmp_path / "q")
    train = data.load("digits").train
    images = train.images[choose(len(train), 1024, 5, option="--samples")]
    folded = quant.fold_batch_norm(load_float_model(student)[0])
    spec = quant.calibrate(folded, train.to_input(images))
    by_hand = quant.lower(folded, spec, integers.rule.name)
    assert [node.scale for node in by_hand.nodes] == [node.scale for node in integers.nodes]
    assert integers.metadata["calibration_samples"] == 1024


@pytest.mark.parametrize("samples", [1097, 5000])
def test_a_seed_with_all_images(samples: int, invoke, student: Path, tmp_path: Path) -> None:
    """Nothing is left to draw: wrong usage, and nothing is written."""
    target = tmp_path / "q"
    command = ("quantize", student, "--out", target, "--samples", samples)
    outcome = invoke(*command, "--seed", 0)
    assert outcome.code == 2
    assert "smaller --samples" in outcome.stderr
    assert not target.exists()
    assert invoke(*command).code == 0


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
