"""Datasets by name or path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdq_ref import data
from kdq_ref.errors import DatasetError

needs_fashion_mnist = pytest.mark.skipif(
    not data.FASHION_MNIST_DIRECTORY.is_dir(),
    reason="Debian's package dataset-fashion-mnist is not installed",
)


def test_digits_by_name() -> None:
    """The name gives the embedded set."""
    assert len(data.load("digits").test) == 450


@needs_fashion_mnist
def test_fashion_mnist_by_name() -> None:
    """Debian's files load under their name, with class names and balanced test classes."""
    splits = data.load("fashion-mnist")
    assert [len(p) for p in (splits.train, splits.validation, splits.test)] == [55000, 5000, 10000]
    assert splits.test.name == "fashion-mnist"
    assert splits.test.input_shape == (28, 28, 1)
    np.testing.assert_array_equal(np.bincount(splits.test.labels), [1000] * 10)
    # The first test image of Fashion-MNIST is an ankle boot.
    assert splits.test.classes[splits.test.labels[0]] == "Ankle boot"


def test_a_directory_by_its_path(tmp_path: Path) -> None:
    """Anything else is a directory, as text or as a path."""
    for part in ("train", "t10k"):
        data.write_idx(tmp_path / f"{part}-images-idx3-ubyte", np.ones((20, 2, 2), np.uint8))
        data.write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.full(20, 3, np.uint8))
    for source in (tmp_path, str(tmp_path)):
        assert len(data.load(source).train) == 18


def test_an_unknown_name_lists_the_known_ones() -> None:
    """What is neither a name nor a directory says which names there are."""
    with pytest.raises(DatasetError, match="neither a directory nor one of digits, fashion-mnist"):
        data.load("mnits")


def test_missing_fashion_mnist_says_how_to_get_it(tmp_path: Path) -> None:
    """The error names the package to install."""
    with pytest.raises(DatasetError, match="apt-get install dataset-fashion-mnist"):
        data.load_fashion_mnist(tmp_path / "nothing")


def test_a_name_that_no_file_system_holds() -> None:
    """Too long, or with a null byte: a typed error like any other wrong name."""
    for name in ("a" * 5000, "a\0b"):
        with pytest.raises(DatasetError, match="neither a directory nor"):
            data.load(name)
