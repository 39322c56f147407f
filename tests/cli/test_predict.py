"""`kdq predict`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdq_ref import data, infer
from kdq_ref.cli import models, predict
from kdq_ref.cli.sample import choose
from kdq_ref.data import write_idx
from kdq_ref.errors import InvalidArgumentError
from kdq_ref.nn import Flatten, Graph, Node, ReLU
from kdq_ref.train import load_float_model, save_float_model


@pytest.fixture(scope="module")
def images() -> data.Dataset:
    return data.load("digits").test


def test_the_test_set(invoke, integers: Path, images: data.Dataset) -> None:
    """Classes and codes are the engine's, with the label beside them."""
    outcome = invoke("predict", integers, "--count", 4, "--json")
    entries = outcome.json["predictions"]
    codes = infer.Engine(infer.load_model(integers)).run(images.to_input(images.images[:4]))
    assert [entry["codes"] for entry in entries] == codes.tolist()
    assert [entry["class"] for entry in entries] == codes.argmax(axis=1).tolist()
    assert [entry["label"] for entry in entries] == images.labels[:4].tolist()


def test_a_float_model(invoke, teacher: Path, images: data.Dataset) -> None:
    """Logits are the network's; there are no codes."""
    entries = invoke("predict", teacher, "--json").json["predictions"]
    assert len(entries) == 10
    graph, _ = load_float_model(teacher)
    logits = graph(images.to_input(images.images[:10]))
    assert [entry["logits"] for entry in entries] == logits.astype(float).tolist()
    assert all("codes" not in entry for entry in entries)


def test_files(invoke, integers: Path, images: data.Dataset, tmp_path: Path) -> None:
    """idx pixels, .npy pixels, .npy values and .npy codes give the same answers."""
    pixels = images.images[:5]
    graph = infer.load_model(integers)
    values = images.to_input(pixels)
    write_idx(tmp_path / "idx", pixels[..., 0])
    np.save(tmp_path / "pixels.npy", pixels)
    np.save(tmp_path / "values.npy", values)
    trace = dict(infer.execution.trace(graph, values))
    np.save(tmp_path / "codes.npy", trace["input"])
    wanted = [
        entry["codes"]
        for entry in invoke("predict", integers, "--count", 5, "--json").json["predictions"]
    ]
    for name in ("idx", "pixels.npy", "values.npy", "codes.npy"):
        entries = invoke("predict", integers, tmp_path / name, "--json").json["predictions"]
        assert [entry["codes"] for entry in entries] == wanted
        assert all("label" not in entry for entry in entries)
    assert len(invoke("predict", integers, tmp_path / "idx", "--count", 2).stdout.splitlines()) < 8


def test_drawn_images(invoke, integers: Path, images: data.Dataset) -> None:
    """--seed draws images of the test set; each is numbered by its place there."""
    result = invoke("predict", integers, "--count", 6, "--seed", 2, "--json").json
    numbers = choose(len(images), 6, 2, option="--count")
    assert (result["seed"], result["images"]) == (2, 6)
    entries = result["predictions"]
    assert [entry["image"] for entry in entries] == numbers.tolist()
    assert [entry["label"] for entry in entries] == images.labels[numbers].tolist()
    codes = infer.Engine(infer.load_model(integers)).run(images.to_input(images.images[numbers]))
    assert [entry["codes"] for entry in entries] == codes.tolist()
    assert invoke("predict", integers, "--count", 6, "--seed", 2, "--json").json == result
    other = invoke("predict", integers, "--count", 6, "--seed", 3, "--json").json
    assert [entry["image"] for entry in other["predictions"]] != numbers.tolist()
    assert invoke("predict", integers, "--seed", 2, "--json").json["images"] == 10


def test_images_drawn_from_a_file(invoke, teacher: Path, images: data.Dataset, tmp_path) -> None:
    """--seed draws from a file just so; the first ones without it."""
    np.save(tmp_path / "f", images.images[:30])
    file = tmp_path / "f.npy"
    drawn = invoke("predict", teacher, file, "--count", 4, "--seed", 1, "--json").json
    numbers = choose(30, 4, 1, option="--count").tolist()
    everything = invoke("predict", teacher, file, "--json").json
    assert (everything["images"], everything["seed"]) == (30, None)
    assert [entry["image"] for entry in drawn["predictions"]] == numbers
    for entry in drawn["predictions"]:
        same = everything["predictions"][entry["image"]]
        assert same["image"] == entry["image"]
        np.testing.assert_allclose(entry["logits"], same["logits"], rtol=1e-4, atol=1e-5)
    first = invoke("predict", teacher, file, "--count", 4, "--json").json
    assert [entry["image"] for entry in first["predictions"]] == [0, 1, 2, 3]


def test_a_seed_without_anything_to_draw(
    invoke, teacher: Path, images: data.Dataset, tmp_path: Path
) -> None:
    """All of a file, a file of one image, or as many as there are: wrong usage, with a way out."""
    np.save(tmp_path / "one", images.images[0])
    np.save(tmp_path / "two", images.images[:2])
    for arguments in (
        [tmp_path / "two.npy"],
        [tmp_path / "two.npy", "--count", 2],
        [tmp_path / "two.npy", "--count", 3],
        [tmp_path / "one.npy", "--count", 1],
        ["--count", 450],
    ):
        outcome = invoke("predict", teacher, *arguments, "--seed", 0)
        assert outcome.code == 2
        assert "--count" in outcome.stderr
    assert invoke("predict", teacher, tmp_path / "two.npy", "--count", 1, "--seed", 0).code == 0


def test_the_table_shows_names_safely(invoke, teacher: Path, tmp_path: Path) -> None:
    """Class names come from the file: no markup, no control sequences."""
    graph, metadata = load_float_model(teacher)
    names = [f"[bold]\x1b[31m{number}" for number in range(10)]
    save_float_model(tmp_path / "m", graph, metadata | {"classes": names})
    printed = invoke("predict", tmp_path / "m", "--count", 2).stdout
    assert "[bold]\\x1b[31m" in printed
    assert "\x1b" not in printed
    assert "label" in printed


def test_two_sources(invoke, teacher: Path) -> None:
    """A file and a dataset are wrong usage, and so is an isa for floats."""
    assert invoke("predict", teacher, "images", "--data", "digits").code == 2
    assert invoke("predict", teacher, "--isa", "scalar").code == 2


def test_not_an_image_file(invoke, teacher: Path) -> None:
    """A file of another format is one line naming it."""
    outcome = invoke("predict", teacher, teacher)
    assert outcome.code == 1
    assert "is not an idx file" in outcome.stderr


def test_not_a_classifier() -> None:
    """A network that ends in an image has no class."""
    graph = Graph((2, 2, 1), [Node("a", ReLU(), ("input",))])
    with pytest.raises(InvalidArgumentError, match=r"\(2, 2, 1\)"):
        predict.predict(models.Model(Path("m"), graph, {}), np.zeros((1, 2, 2, 1)), None, isa=None)


def test_no_images() -> None:
    """No image, no answer, no error."""
    graph = Graph((2,), [Node("a", Flatten(), ("input",))])
    assert (
        predict.predict(models.Model(Path("m"), graph, {}), np.zeros((0, 2)), None, isa=None) == []
    )
