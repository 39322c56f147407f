"""`kdq explain-diff`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from strategies.int_networks import scaled_network

from kdq_ref import infer


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network with every operator."""
    path = tmp_path / "model.safetensors"
    infer.save_model(path, scaled_network(0))
    return path


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    """Eight inputs of extremes."""
    path = tmp_path / "codes.npy"
    rng = np.random.default_rng(0)
    np.save(path, rng.choice(np.array([-128, 127], np.int8), (8, 6, 5, 3)))
    return path


def test_the_first_parting_is_explained(invoke, model: Path, codes: Path) -> None:
    """The saturating runtime beside the exact one: value, element, pair, in text and in JSON."""
    arguments = ("onnxruntime", "onnxruntime-avx2-default", "--model", model, "--input", codes)
    report = invoke("explain-diff", *arguments, "--json").json
    parting = report["parting"]
    assert parting["differing"] > 0
    assert report["output"]["elements"] == 8 * 4
    assert "accumulator" in parting["numbers"]
    assert any("held as" in reason for reason in parting["reasons"])
    printed = invoke("explain-diff", *arguments).stdout
    assert f"{parting['value']}{parting['element'][1:]}" in printed
    assert f"image {parting['element'][0]}" in printed
    assert all(f"because {reason}" in printed for reason in parting["reasons"])


def test_rules_are_dialects_of_their_own(invoke, model: Path, codes: Path) -> None:
    """A rule against itself agrees everywhere."""
    arguments = ("--model", model, "--input", codes)
    outcome = invoke("explain-diff", "single_rounding", "kdq", *arguments)
    assert outcome.code == 0
    assert "single_rounding and kdq agree in every value of 8 images" in outcome.stdout
    report = invoke("explain-diff", "rndnu", "rndnu", *arguments, "--count", 3, "--json").json
    assert (report["parting"], report["images"]) == (None, 3)
    assert report["output"]["differing"] == 0


def test_images_of_a_dataset_keep_their_numbers(invoke, integers: Path) -> None:
    """A trained student on its own test set, from pixels: the image is named by its number."""
    arguments = ("onnxruntime", "onnxruntime-avx2-default", "--model", integers)
    report = invoke("explain-diff", *arguments, "--count", 20, "--seed", 3, "--json").json
    assert report["images"] == 20
    if report["parting"] is not None:
        assert 0 <= report["parting"]["element"][0] < 450


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("tvm", "kdq"), 2, "tvm"),
        (("kdq", "rndnu", "--data", "digits", "--input", "x"), 2, "not both"),
        (("kdq", "rndnu"), 2, "--data"),
    ],
)
def test_wrong_arguments_are_named(
    invoke, model: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """One line that quotes what was given."""
    outcome = invoke("explain-diff", *arguments, "--model", model)
    assert outcome.code == code
    assert message in outcome.stderr


def test_a_float_model_is_refused(invoke, student: Path) -> None:
    """It has no integers."""
    outcome = invoke("explain-diff", "kdq", "rndnu", "--model", student)
    assert outcome.code == 2
    assert "kdq quantize" in outcome.stderr
