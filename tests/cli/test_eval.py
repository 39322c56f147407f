"""`kdq eval`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdq_ref import data, infer, kernels
from kdq_ref.cli.sample import choose
from kdq_ref.data import catalogue, load_fashion_mnist
from kdq_ref.train import evaluate, load_float_model

needs_core = pytest.mark.skipif(not kernels.core_available(), reason="there is no C core")


def test_a_float_model(invoke, teacher: Path, report: dict[str, Any]) -> None:
    """Accuracy is that of the main job, on the same images."""
    result = invoke("eval", teacher, "--json").json
    assert result["kind"] == "float"
    assert result["accuracy"] == report["teacher"]["accuracy"]
    assert result["images"] == report["test_images"]
    assert result["us_per_image"] > 0


def test_an_integer_model(invoke, integers: Path, report: dict[str, Any]) -> None:
    """Accuracy, engine and sizes are those of the main job."""
    result = invoke("eval", integers, "--json", "--threads", 3).json
    assert result["kind"] == "integer"
    for key in ("accuracy", "backend", "isa", "rule", "params", "macs"):
        assert result[key] == report["int8"][key]
    assert result["threads"] == 3
    assert "bit_exact_spec_vs_c" not in result


def test_both_ways(invoke, integers: Path, report: dict[str, Any]) -> None:
    """--compare runs the definition too and says whether every code is equal."""
    result = invoke("eval", integers, "--compare", "--json").json
    assert result["bit_exact_spec_vs_c"] is (True if kernels.core_available() else None)
    assert result["accuracy_spec"] == result["accuracy"] == report["int8"]["accuracy_spec"]
    assert "bit for bit" in invoke("eval", integers, "--compare").stdout


def test_the_definition_alone(invoke, integers: Path, report: dict[str, Any]) -> None:
    """--spec runs no C."""
    result = invoke("eval", integers, "--spec", "--json", "--split", "validation").json
    assert (result["backend"], result["isa"], result["split"]) == ("spec", "numpy", "validation")


@pytest.mark.parametrize("split", ["test", "validation", "train"])
def test_the_first_images(split: str, invoke, teacher: Path) -> None:
    """--count measures the first images of a split, at most all of them."""
    result = invoke("eval", teacher, "--split", split, "--count", 40, "--json").json
    assert (result["images"], result["seed"]) == (40, None)
    part = getattr(data.load("digits"), split).subset(slice(40))
    measured = evaluate(load_float_model(teacher)[0], part)
    assert (result["accuracy"], result["loss"]) == (measured.accuracy, measured.loss)
    whole = len(getattr(data.load("digits"), split))
    many = invoke("eval", teacher, "--split", split, "--count", 10**6, "--json").json
    assert (many["images"], many["seed"]) == (whole, None)


def test_drawn_images(invoke, teacher: Path) -> None:
    """--seed draws them: the same images for the same seed, others for another."""

    def result(seed: int) -> dict[str, Any]:
        report: dict[str, Any] = invoke(
            "eval", teacher, "--count", 40, "--seed", seed, "--json"
        ).json
        return report

    test = data.load("digits").test
    first, again, other = result(1), result(1), result(2)
    assert (first["images"], first["seed"]) == (40, 1)
    assert first["loss"] == again["loss"] != other["loss"]
    part = test.subset(choose(len(test), 40, 1, option="--count"))
    assert first["loss"] == evaluate(load_float_model(teacher)[0], part).loss
    printed = invoke("eval", teacher, "--count", 40, "--seed", 1).stdout
    assert "40 (digits, test), drawn with seed 1" in printed


def test_drawn_images_both_ways(invoke, integers: Path) -> None:
    """C and the definition get the same drawn images."""
    drawn = ("--count", 30, "--seed", 9, "--json")
    result = invoke("eval", integers, "--compare", *drawn).json
    assert result["bit_exact_spec_vs_c"] is (True if kernels.core_available() else None)
    assert result["images"] == 30
    assert result["accuracy"] == invoke("eval", integers, "--spec", *drawn).json["accuracy"]


def test_a_seed_without_anything_to_draw(invoke, teacher: Path) -> None:
    """--seed without --count, or with as many images as there are, is wrong usage."""
    outcome = invoke("eval", teacher, "--seed", 1)
    assert outcome.code == 2
    assert "--count" in outcome.stderr
    assert invoke("eval", teacher, "--seed", 1, "--count", 450).code == 2
    assert invoke("eval", teacher, "--seed", 1, "--count", 449).code == 0


@needs_core
def test_a_difference_is_an_error(invoke, integers: Path, monkeypatch) -> None:
    """If a single code differs, the report says so and the exit code is 1."""
    honest = infer.Engine.run

    def wrong(self: infer.Engine, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        codes = honest(self, x, out)
        codes[-1, -1] ^= 1
        return codes

    monkeypatch.setattr(infer.Engine, "run", wrong)
    outcome = invoke("eval", integers, "--compare", "--json")
    assert outcome.code == 1
    assert outcome.json["bit_exact_spec_vs_c"] is False
    assert "differ" in outcome.stderr


@pytest.mark.parametrize("option", ["--spec", "--compare", "--isa=scalar"])
def test_a_float_model_has_no_integers(option: str, invoke, teacher: Path) -> None:
    """Options of integer models are wrong usage."""
    assert invoke("eval", teacher, option).code == 2


@pytest.mark.parametrize("other", ["--compare", "--isa=scalar"])
def test_the_definition_excludes_c(other: str, invoke, integers: Path) -> None:
    """--spec with an option about C is wrong usage."""
    assert invoke("eval", integers, "--spec", other).code == 2


@needs_core
def test_an_unknown_isa_by_variable(command, integers: Path) -> None:
    """KDQ_ISA that cannot run is one line that lists what can."""
    process = command("eval", integers, KDQ_ISA="mmx")
    out, err = process.communicate()
    assert process.returncode == 1
    assert out == ""
    assert err.startswith("kdq: error: isa 'mmx'")
    assert "Available: " in err


def test_an_unknown_isa_by_option(invoke, integers: Path) -> None:
    """--isa that cannot run is one line."""
    outcome = invoke("eval", integers, "--isa", "mmx")
    assert outcome.code == 1
    assert outcome.stderr.count("\n") == 1


def test_damaged_models(invoke, integers: Path, teacher: Path, tmp_path: Path) -> None:
    """A flipped bit or a missing end is one line naming the file."""
    for path in (integers, teacher):
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        (tmp_path / "flipped").write_bytes(data)
        (tmp_path / "cut").write_bytes(data[: len(data) // 2])
        for name in ("flipped", "cut"):
            outcome = invoke("eval", tmp_path / name)
            assert outcome.code == 1
            assert outcome.stderr.startswith(f"kdq: error: {tmp_path / name}: ")
            assert outcome.stderr.count("\n") == 1


def test_a_missing_dataset(invoke, teacher: Path, tmp_path: Path, monkeypatch) -> None:
    """Fashion-MNIST that is not installed: the message says how to get it."""
    away = tmp_path / "fashion-mnist"
    monkeypatch.setitem(catalogue._BY_NAME, "fashion-mnist", lambda: load_fashion_mnist(away))
    outcome = invoke("eval", teacher, "--data", "fashion-mnist")
    assert outcome.code == 1
    assert "apt-get install dataset-fashion-mnist" in outcome.stderr


def test_other_images(invoke, teacher: Path, tmp_path: Path) -> None:
    """A directory without idx files names what it should hold."""
    outcome = invoke("eval", teacher, "--data", tmp_path)
    assert outcome.code == 1
    assert "train-labels-idx1-ubyte" in outcome.stderr or "train-images" in outcome.stderr
