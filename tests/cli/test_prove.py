"""`kdq prove`."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from strategies.dialects import installed
from strategies.int_networks import residual_network, scaled_network

from kdq_ref import infer, kernels
from kdq_ref.verify.proofs import certificate, requantizations
from kdq_ref.verify.proofs.pair_sums import PAIRED

_RUNTIME = "onnxruntime-avx2-default"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network with every operator that runtimes have, too."""
    path = tmp_path / "model.safetensors"
    infer.save_model(path, scaled_network(0))
    return path


def test_the_certificate_is_stored_and_goes_stale(invoke, model: Path) -> None:
    """Info calls it valid; in another network, stale."""
    assert invoke("info", model, "--json").json["certificate"] == certificate.ABSENT
    outcome = invoke("prove", model, "--json")
    assert (outcome.code, outcome.json["refuted"]) == (0, [])
    assert infer.load_model(model).metadata[certificate.KEY] == outcome.json["certificate"]
    assert invoke("info", model, "--json").json["certificate"] == certificate.VALID
    assert "valid: kdq prove was run" in invoke("info", model).stdout
    other = certificate.attach(scaled_network(1), outcome.json["certificate"])
    infer.save_model(model, other)
    assert "STALE" in invoke("info", model).stdout


def test_no_store_leaves_the_file(invoke, model: Path) -> None:
    """Byte by byte."""
    before = model.read_bytes()
    printed = invoke("prove", model, "--no-store").stdout
    assert model.read_bytes() == before
    assert "not stored" in printed
    assert "no channels differ" in printed or not kernels.core_available()


def test_a_runtime_that_is_asked_for_must_not_saturate(invoke, tmp_path: Path) -> None:
    """Exit code 1 with the layers, and 0 for weights that cannot."""
    path = tmp_path / "model"
    for divisor, code in ((1, 1), (4, 0)):
        infer.save_model(path, scaled_network(0, divisor=divisor))
        outcome = invoke("prove", path, "--runtime", _RUNTIME, "--json")
        assert outcome.code == code
        assert bool(outcome.json["refuted"]) == bool(code)
        layers = outcome.json["certificate"]["runtimes"][_RUNTIME]["layers"]
        assert {layer["verdict"] == "certified" for layer in layers} >= {not code}
    assert invoke("prove", path, "--json").code == 0


def test_the_runtime_confirms(invoke, model: Path) -> None:
    """Every finding on ONNX Runtime, with its version."""
    version = installed("onnxruntime").version()
    layers = invoke("prove", model, "--json").json["certificate"]["runtimes"][_RUNTIME]["layers"]
    assert layers
    for layer in layers:
        assert layer["confirmed"] is True
        assert layer["runtime"] == f"onnxruntime {version}"
    printed = invoke("prove", model, "--no-store").stdout
    assert "held as" in printed
    assert "CONTRADICTED" not in printed


@pytest.mark.skipif(not kernels.core_available(), reason="no C core to be wrong")
def test_a_wrong_kernel_is_refuted(invoke, model: Path, monkeypatch) -> None:
    """Exit code 1, with the accumulator."""
    right = kernels.requantize

    def wrong(acc, requant, *, isa):
        return np.where(acc == 12, right(acc, requant, isa=isa) ^ 1, right(acc, requant, isa=isa))

    monkeypatch.setattr(requantizations.kernels, "requantize", wrong)
    outcome = invoke("prove", model, "--isa", "scalar", "--no-store")
    assert outcome.code == 1
    assert "scalar makes" in outcome.stdout
    assert "of accumulator 12" in outcome.stdout


def test_images_start_the_search(invoke, model: Path, tmp_path: Path) -> None:
    """From a file; how many is said."""
    images = np.random.default_rng(0).random((3, 6, 5, 3)).astype(np.float32)
    np.save(tmp_path / "images.npy", images)
    outcome = invoke("prove", model, "--images", tmp_path / "images.npy", "--no-store", "--json")
    assert outcome.json["images"] == 3
    assert invoke("prove", model, "--no-store", "--json").json["images"] == 0


def test_constants_of_no_runtime_are_no_failure(invoke, tmp_path: Path) -> None:
    """What can be proven is; the rest says why not, and fails only where it was asked for."""
    path = tmp_path / "model"
    infer.save_model(path, residual_network(0))
    outcome = invoke("prove", path, "--json")
    assert outcome.code == 0
    assert all(
        "no float32 weight scale" in outcome.json["certificate"]["runtimes"][name]["refused"]
        for name in PAIRED
    )
    assert invoke("prove", path, "--runtime", _RUNTIME).code == 1


def test_the_digits_student(invoke, integers: Path, tmp_path: Path) -> None:
    """A trained network: its own data starts the search."""
    copy = tmp_path / "student"
    shutil.copy(integers, copy)
    outcome = invoke("prove", copy, "--json")
    assert outcome.code == 0
    assert outcome.json["images"] > 0
    assert invoke("predict", copy, "--count", 2).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--isa", ",,"), 2, "names no instruction set"),
        (("--isa", "mmx"), 1, "mmx" if kernels.core_available() else "the C core is not"),
        (("--runtime", "tvm"), 2, "tvm"),
        (("--images", "a", "--data", "digits"), 2, "not both"),
        (("--data", "digits"), 1, "images"),
    ],
)
def test_wrong_arguments_are_named(
    invoke, model: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """One line that quotes what was given."""
    outcome = invoke("prove", model, *arguments)
    assert outcome.code == code
    assert message in outcome.stderr


def test_a_float_model_is_refused(invoke, student: Path) -> None:
    """It has no integers to prove anything of."""
    outcome = invoke("prove", student)
    assert outcome.code == 2
    assert "kdq quantize" in outcome.stderr
