"""Model files of either kind."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pytest

from kdq_ref import kernels, zoo
from kdq_ref.cli import models
from kdq_ref.errors import InvalidArgumentError, KernelUnavailableError, ModelFileError
from kdq_ref.infer import IntGraph
from kdq_ref.nn import Graph


def _model(metadata: dict, name: str = "digits-student") -> models.Model:
    return models.Model(Path("m"), zoo.build(name, np.random.default_rng(0)), metadata)


def test_the_file_says_what_it_is(student: Path, integers: Path) -> None:
    """Float and integer models are told apart by content."""
    loaded = models.load(student)
    assert isinstance(loaded.graph, Graph)
    assert (loaded.kind, loaded.output_shape) == ("float", (10,))
    loaded = models.load(integers)
    assert isinstance(loaded.graph, IntGraph)
    assert (loaded.kind, loaded.output_shape) == ("integer", (10,))
    assert loaded.classes == tuple("0123456789")


def test_a_checkpoint_is_not_a_model(checkpoint: Path) -> None:
    """The message says what the file holds."""
    with pytest.raises(ModelFileError, match="'checkpoint', which is not a model"):
        models.load(checkpoint)


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(100)])
def test_anything_else_is_not_a_model(content: bytes, tmp_path: Path) -> None:
    """So is a file of another format."""
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(ModelFileError):
        models.load(tmp_path / "f")


@pytest.mark.parametrize("names", [None, "0123456789", ["a"], 3, {}])
def test_useless_class_names_become_numbers(names: object) -> None:
    """Metadata is not trusted to hold ten names."""
    assert _model({"classes": names}).classes == tuple("0123456789")


def test_class_names_are_text() -> None:
    """Ten things of any type are ten names."""
    assert _model({"classes": ["a", 1, None, *"bcdefgh"]}).classes[:3] == ("a", "1", "None")


def test_the_model_names_its_dataset() -> None:
    """Without --data it is what the model was made for."""
    assert models.splits_for(_model({"dataset": "digits"}), None).test.name == "digits"


@pytest.mark.parametrize("name", [None, "mnist", ["digits"], "/etc"])
def test_an_unknown_origin_needs_data(name: object) -> None:
    """A name in a file is never taken for a path."""
    with pytest.raises(click.UsageError, match="--data"):
        models.splits_for(_model({"dataset": name}), None)


def test_images_must_fit() -> None:
    """A network for other images is refused by name and shape."""
    with pytest.raises(InvalidArgumentError, match=r"\(28, 28, 1\)"):
        models.splits_for(_model({}, "mlp"), "digits")


def test_an_empty_part_is_an_error() -> None:
    """There is nothing to measure on it."""
    splits = models.splits_for(_model({}), "digits")
    assert models.choose_split(splits, "validation") is splits.validation
    empty = type(splits)(splits.train, splits.validation.subset(slice(0)), splits.test)
    with pytest.raises(InvalidArgumentError, match="validation part of 'digits' is empty"):
        models.choose_split(empty, "validation")


def test_an_impossible_isa_is_found_at_once(monkeypatch) -> None:
    """Asked for by argument or, where there is a core, by variable."""
    monkeypatch.delenv("KDQ_ISA", raising=False)
    models.check_isa(None)
    with pytest.raises(KernelUnavailableError):
        models.check_isa("mmx")
    monkeypatch.setenv("KDQ_ISA", "mmx")
    if kernels.core_available():
        with pytest.raises(KernelUnavailableError, match="mmx"):
            models.check_isa(None)
    else:
        models.check_isa(None)
