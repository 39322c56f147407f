"""MNIST-like directories: every file name form, every mismatch."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdq_ref.data import Splits, load_idx_directory, split_order, write_idx
from kdq_ref.errors import DatasetError, RangeError

TRAIN, TEST, SIZE = 30, 12, (2, 3)
FILES = [f"{part}-{what}" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]


def _arrays(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images that are told apart by their pixels, and a label for each."""
    count, start = (TRAIN, 0) if part == "train" else (TEST, 100)
    numbers = np.arange(start, start + count, dtype=np.uint8)
    return np.tile(numbers[:, None, None], (1, *SIZE)), numbers % 10


def _write(directory: Path, *, dot: str = "-", suffix: str = "") -> Path:
    directory.mkdir(exist_ok=True)
    for part in ("train", "t10k"):
        for what, array in zip(("images", "labels"), _arrays(part), strict=True):
            write_idx(directory / f"{part}-{what}{dot}idx{array.ndim}-ubyte{suffix}", array)
    return directory


@pytest.fixture(scope="module", params=["", ".gz"], ids=["plain", "gzip"])
def intact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("mnist"), suffix=request.param)


def _outcome(directory: Path) -> Splits | DatasetError:
    try:
        return load_idx_directory(directory)
    except DatasetError as fault:
        return fault


def _assert_equal(one: Splits, other: Splits) -> None:
    for part in ("train", "validation", "test"):
        a, b = getattr(one, part), getattr(other, part)
        np.testing.assert_array_equal(a.images, b.images)
        np.testing.assert_array_equal(a.labels, b.labels)


@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_every_form_of_the_names(tmp_path: Path, dot: str, suffix: str) -> None:
    """Dash or dot, plain or gzip: the same parts, named after the directory."""
    splits = load_idx_directory(_write(tmp_path / "letters", dot=dot, suffix=suffix))
    _assert_equal(splits, load_idx_directory(_write(tmp_path / "plain")))
    assert splits.test.name == "letters"
    assert splits.test.input_shape == (*SIZE, 1)
    assert splits.test.pixel_scale == 255
    np.testing.assert_array_equal(splits.test.images[..., 0], _arrays("t10k")[0])
    np.testing.assert_array_equal(splits.test.labels, _arrays("t10k")[1])


@given(validation=st.integers(0, TRAIN - 1))
def test_train_and_validation_partition_the_train_files(intact: Path, validation: int) -> None:
    """The last ones of the fixed order are held out; images keep their labels."""
    splits = load_idx_directory(intact, validation=validation)
    assert len(splits.validation) == validation
    images = np.concatenate([splits.train.images, splits.validation.images])
    labels = np.concatenate([splits.train.labels, splits.validation.labels])
    np.testing.assert_array_equal(images[:, 0, 0, 0], split_order(TRAIN))
    np.testing.assert_array_equal(labels, images[:, 0, 0, 0] % 10)


def test_a_tenth_is_held_out_by_default(intact: Path) -> None:
    """30 training images: 27 to train on, 3 to validate."""
    splits = load_idx_directory(intact)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (27, 3, TEST)


@pytest.mark.parametrize("validation", [-1, TRAIN])
def test_validation_must_leave_something_to_train_on(intact: Path, validation: int) -> None:
    """Holding out all images, or fewer than none, is refused."""
    with pytest.raises(RangeError):
        load_idx_directory(intact, validation=validation)


@settings(max_examples=100)
@given(data=st.data())
def test_a_damaged_directory_loads_whole_or_not_at_all(intact: Path, data: st.DataObject) -> None:
    """One byte changed or one file cut: a typed error, or shapes, dtypes and label range hold."""
    name = data.draw(st.sampled_from(FILES), label="file")
    (path,) = intact.glob(f"{name}*")
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1), label="at")
    flip = data.draw(st.integers(0, 255), label="flip, or 0 to cut")
    end = content[at + 1 :] if flip else b""
    original = load_idx_directory(intact)
    path.write_bytes(content[:at] + bytes([content[at] ^ flip] if flip else []) + end)
    damaged = _outcome(intact)
    path.write_bytes(content)
    if isinstance(damaged, DatasetError):
        assert damaged.path == path
        return
    if path.suffix == ".gz":
        _assert_equal(damaged, original)
    for part in ("train", "validation", "test"):
        got, expected = getattr(damaged, part), getattr(original, part)
        assert got.images.shape == expected.images.shape
        assert got.images.dtype == np.uint8
        assert got.labels.shape == expected.labels.shape
        assert ((got.labels >= 0) & (got.labels < 10)).all()


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_lists_what_was_looked_for(tmp_path: Path, name: str) -> None:
    """The message names every form of the file that would have been read."""
    (_write(tmp_path / "d") / f"{name}-ubyte").unlink()
    with pytest.raises(DatasetError, match="holds none of") as caught:
        load_idx_directory(tmp_path / "d")
    dotted = name.replace("s-idx", "s.idx")
    for form in (f"{name}-ubyte", f"{name}-ubyte.gz", f"{dotted}-ubyte", f"{dotted}-ubyte.gz"):
        assert form in caught.value.fault


def test_images_without_their_labels(tmp_path: Path) -> None:
    """A count of images that is not the count of labels names both."""
    directory = _write(tmp_path / "d")
    write_idx(directory / "train-labels-idx1-ubyte", _arrays("train")[1][:-1])
    with pytest.raises(DatasetError, match="holds 30 images, train-labels-idx1-ubyte 29 labels"):
        load_idx_directory(directory)


def test_train_and_test_of_different_sizes(tmp_path: Path) -> None:
    """Train and t10k images must have one size."""
    directory = _write(tmp_path / "d")
    write_idx(directory / "t10k-images-idx3-ubyte", np.zeros((TEST, 4, 4), np.uint8))
    with pytest.raises(DatasetError, match=r"train images are \(2, 3\), t10k images \(4, 4\)"):
        load_idx_directory(directory)


def test_labels_beyond_the_classes(tmp_path: Path) -> None:
    """A label out of range is found, unless more classes are named."""
    directory = _write(tmp_path / "d")
    labels = _arrays("t10k")[1]
    labels[7] = 10
    write_idx(directory / "t10k-labels-idx1-ubyte", labels)
    with pytest.raises(DatasetError, match="label 7 is 10, but there are 10 classes") as caught:
        load_idx_directory(directory)
    assert caught.value.path == directory / "t10k-labels-idx1-ubyte"
    splits = load_idx_directory(directory, classes=tuple("0123456789A"), name="eleven")
    assert splits.test.labels[7] == 10
    assert splits.test.name == "eleven"


@pytest.mark.parametrize("array", [np.zeros((TEST, 6), np.uint8), np.zeros((TEST, 2, 3), np.int8)])
def test_images_of_another_kind(tmp_path: Path, array: np.ndarray) -> None:
    """Images must be uint8 with three axes."""
    directory = _write(tmp_path / "d")
    write_idx(directory / "t10k-images-idx3-ubyte", array)
    with pytest.raises(DatasetError, match="expected"):
        load_idx_directory(directory)


def test_plain_wins_over_gzip(tmp_path: Path) -> None:
    """Where both lie side by side, the documented first form is read."""
    directory = _write(tmp_path / "d")
    for path in list(directory.iterdir()):
        shutil.copy(path, f"{path}.gz")
        Path(f"{path}.gz").write_bytes(b"never looked at")
    assert len(load_idx_directory(directory).test) == TEST


def test_a_name_that_no_file_system_holds() -> None:
    """Too long: nothing is there, and that is what the error says."""
    with pytest.raises(DatasetError, match="holds none of"):
        load_idx_directory("a" * 5000)
