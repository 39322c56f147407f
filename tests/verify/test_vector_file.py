"""Test vectors in a file."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.errors import FileFormatError
from kdq_ref.files import load_tensors, save_tensors
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.identify import identify
from kdq_ref.verify.samples import OPERATORS, generate
from kdq_ref.verify.vector_file import KIND, Vectors, load_vectors, save_vectors


def _vectors(operator: str, number: int = 1) -> Vectors:
    """A sample and what our dialect, or ONNX's text, makes of it."""
    stream = generate(operator, seed=2, outputs=60)
    for _ in range(number):
        sample = next(stream)
    values = get_dialect("onnx-spec").run(sample.network, sample.inputs)
    return Vectors(sample.network, sample.inputs, {"y": values["y"]})


@pytest.mark.parametrize("operator", OPERATORS)
def test_what_is_written_is_read(tmp_path: Path, operator: str) -> None:
    """Every field of every node, every tensor, bit for bit."""
    for number in (1, 4):
        written = _vectors(operator, number)
        save_vectors(tmp_path / "v", written)
        read = load_vectors(tmp_path / "v")
        assert read.network.encodings == written.network.encodings
        assert read.network.shapes == written.network.shapes
        assert read.network.output == written.network.output
        for a, b in zip(read.network.nodes, written.network.nodes, strict=True):
            plain = {"weight": None, "bias": None}
            assert dataclasses.astuple(dataclasses.replace(a, **plain)) == dataclasses.astuple(
                dataclasses.replace(b, **plain)
            )
            assert (a.bias is None) == (b.bias is None)
            if a.weight is not None and b.weight is not None:
                np.testing.assert_array_equal(a.weight.codes, b.weight.codes)
                np.testing.assert_array_equal(a.weight.scales, b.weight.scales)
        np.testing.assert_array_equal(read.outputs["y"], written.outputs["y"])
        for name, value in written.inputs.items():
            np.testing.assert_array_equal(read.inputs[name], value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("nodes", [{}], "does not describe a network: 'name'"),
        ("output", "z", "does not describe a network: output 'z'"),
        ("inputs", 3, "does not describe a network"),
        ("inputs", {"x": {"dtype": "int8"}, "z": {"dtype": "int8"}}, "does not describe"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, key: str, value: object, message: str) -> None:
    """With the fault, and no other exception."""
    save_vectors(tmp_path / "v", _vectors("relu"))
    tensors, manifest = load_tensors(tmp_path / "v", kind=KIND, error=FileFormatError)
    save_tensors(tmp_path / "v", tensors, manifest | {key: value}, kind=KIND)
    with pytest.raises(FileFormatError, match=message):
        load_vectors(tmp_path / "v")


_LEAVES: list[object] = [None, 0, -1, 1.5, 1e300, 1000, True, "int8", "float32", [], [0], {}]


@given(st.sampled_from(OPERATORS), st.integers(0, 2**32), st.sampled_from(_LEAVES))
def test_whatever_a_file_says_is_read_or_refused(operator: str, seed: int, value: object) -> None:
    """Any part of the manifest replaced: a typed error, or a network that dialects compute."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v"
        save_vectors(path, _vectors(operator))
        tensors, manifest = load_tensors(path, kind=KIND, error=FileFormatError)
        del manifest["format"]
        place = manifest
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = keys[rng.integers(len(keys))]
            if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.1:
                break
            place = place[key]
        place[key] = value
        save_tensors(path, tensors, manifest, kind=KIND, format=1)
        try:
            vectors = load_vectors(path)
        except FileFormatError:
            return
        identify(vectors, ("kdq", "onnxruntime", "litert-builtin"))


def test_outputs_must_be_values(tmp_path: Path) -> None:
    """A file without outputs, or with those of another network, identifies nothing."""
    vectors = _vectors("relu")
    for outputs in ({}, {"z": vectors.outputs["y"]}):
        save_vectors(tmp_path / "v", dataclasses.replace(vectors, outputs=outputs))
        with pytest.raises(FileFormatError, match="are not values of its network"):
            load_vectors(tmp_path / "v")
