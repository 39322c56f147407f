"""Float networks on disk: the same network comes back, or a typed error."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.manifests import edited
from strategies.training import same_bits, tiny_network

from kdq_ref import files, nn, zoo
from kdq_ref.errors import CheckpointError, DTypeError, NotFiniteError
from kdq_ref.train import digest_of, load_float_model, save_float_model

METADATA = {"dataset": "tiny", "pixel_scale": 255, "classes": ["a", "b"], "accuracy": 0.1 + 0.2}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the tiny network."""
    path = tmp_path_factory.mktemp("model") / "float.safetensors"
    save_float_model(path, tiny_network(), METADATA)
    return path


@pytest.mark.parametrize("name", ["digits-student", "residual", "depthwise"])
def test_round_trip(tmp_path: Path, name: str) -> None:
    """Architecture, weights, statistics and digest are the same, and so are the logits."""
    graph = zoo.build(name, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    state = {key: rng.random(value.shape, np.float32) for key, value in graph.state_dict().items()}
    graph.load_state_dict(state)
    save_float_model(tmp_path / "m", graph, METADATA)
    loaded, metadata = load_float_model(tmp_path / "m")
    assert metadata == METADATA
    assert loaded.config() == graph.config()
    assert same_bits(loaded.state_dict(), state)
    assert digest_of(loaded) == digest_of(graph)
    x = rng.random((2, *graph.input_shape), np.float32)
    np.testing.assert_array_equal(loaded(x), graph(x))


def test_same_network_same_bytes(tmp_path: Path) -> None:
    """Files may be compared; without metadata it is empty."""
    for name in "ab":
        save_float_model(tmp_path / name, tiny_network())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert load_float_model(tmp_path / "a")[1] == {}


def test_a_loaded_network_can_be_trained(stored: Path) -> None:
    """Its arrays are writable and its own."""
    graph, _ = load_float_model(stored)
    for array in graph.parameters().values():
        array += 1
    assert not same_bits(graph.state_dict(), load_float_model(stored)[0].state_dict())


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    """float64 and NaN are refused, and no file appears."""
    graph = tiny_network()
    with pytest.raises(DTypeError):
        save_float_model(tmp_path / "m", graph.astype(np.float64))
    graph.parameters()["dense1.w"][0, 0] = np.nan
    with pytest.raises(NotFiniteError, match=r"dense1\.w"):
        save_float_model(tmp_path / "m", graph)
    assert list(tmp_path.iterdir()) == []


@given(position=st.integers(0, 10**6), flip=st.integers(0, 255))
def test_any_damage_is_found(
    stored: Path, tmp_path_factory: pytest.TempPathFactory, position: int, flip: int
) -> None:
    """A flipped byte, or (flip 0) a file cut there: a typed error or the identical network."""
    content = bytearray(stored.read_bytes())
    position %= len(content)
    content[position] ^= flip
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content if flip else content[:position])
    try:
        graph, metadata = load_float_model(path)
    except CheckpointError:
        return
    assert metadata == METADATA
    assert digest_of(graph) == digest_of(tiny_network())


@given(st.data())
def test_any_edited_manifest_is_an_error_or_a_network(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """With a valid digest but one value replaced or removed nothing else can happen."""
    graph = tiny_network()
    manifest = {"format": 1, "graph": graph.config(), "metadata": METADATA}
    file = tmp_path_factory.getbasetemp() / "edited"
    files.save_tensors(file, graph.state_dict(), data.draw(edited(manifest)), kind="float-model")
    with contextlib.suppress(CheckpointError):
        load_float_model(file)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Flatten(), nn.Dense(20, 3, rng=np.random.default_rng(0))],
        [nn.BatchNorm(1)],
    ],
)
def test_size_is_bounded_by_the_file(tmp_path: Path, layers: list[nn.Layer]) -> None:
    """A tiny file cannot make the loader allocate a huge network."""
    graph = nn.Sequential((5, 4, 1), layers)
    text = json.dumps(graph.config())
    huge = text.replace('"n_in": 20', '"n_in": 1000').replace('"n_out": 3', '"n_out": 1000')
    huge = huge.replace('"channels": 1', '"channels": 1000000000')
    assert huge != text
    manifest = {"format": 1, "graph": json.loads(huge), "metadata": {}}
    files.save_tensors(tmp_path / "m", graph.state_dict(), manifest, kind="float-model")
    with pytest.raises(CheckpointError, match=r"more weights|more than the numbers"):
        load_float_model(tmp_path / "m")


@pytest.mark.parametrize(
    ("tensors", "manifest", "fault"),
    [
        ({}, {"format": 2}, "has format 2"),
        ({}, {"extra": 1}, "does not hold"),
        ({}, {"metadata": []}, "does not hold"),
        ({"more": np.zeros(1, np.float32)}, {}, "unexpected"),
        ({"dense1.b": np.zeros(4, np.float32)}, {}, r"dense1\.b"),
        ({"dense1.b": np.zeros(3)}, {}, r"dense1\.b"),
        ({"dense1.b": np.full(3, np.nan, np.float32)}, {}, "finite"),
    ],
)
def test_content_that_makes_no_sense(
    tmp_path: Path, tensors: dict[str, np.ndarray], manifest: dict[str, Any], fault: str
) -> None:
    """A whole file that is not what we write is a typed error that says why."""
    graph = tiny_network()
    whole = {"format": 1, "graph": graph.config(), "metadata": {}} | manifest
    files.save_tensors(tmp_path / "m", graph.state_dict() | tensors, whole, kind="float-model")
    with pytest.raises(CheckpointError, match=fault):
        load_float_model(tmp_path / "m")


@pytest.mark.parametrize(
    "layers",
    [[nn.GlobalAvgPool()], [nn.MaxPool2d((1500, 1))], [nn.ReLU()]],
    ids=["global", "window", "pointwise"],
)
def test_large_images_need_no_large_network(tmp_path: Path, layers: list[nn.Layer]) -> None:
    """Sizes of images and windows allocate nothing, so few weights may go with them."""
    save_float_model(tmp_path / "model", nn.Sequential((2000, 3, 1), layers))
    graph, _ = load_float_model(tmp_path / "model")
    assert graph.input_shape == (2000, 3, 1)
