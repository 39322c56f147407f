"""The embedded digits: checksum, split, and equality with scikit-learn's copy."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from kdq_ref.data import digits
from kdq_ref.errors import DatasetError


def _payload_from_scikit_learn() -> bytes:
    """The asset before compression.

    The asset itself was made with ``zlib.compress(_payload_from_scikit_learn(), 9)``.
    """
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn holds the original")
    original = datasets.load_digits()
    images, labels = original.images.astype(np.uint8), original.target.astype(np.uint8)
    np.testing.assert_array_equal(images, original.images)
    return images.tobytes() + labels.tobytes()


def test_the_asset_is_what_scikit_learn_ships() -> None:
    """Every pixel and label equals scikit-learn's (skipped where it is not installed)."""
    assert zlib.decompress(digits._read_asset()) == _payload_from_scikit_learn()


def test_sizes_and_ranges() -> None:
    """1,797 images of 8x8 with the values 0..16, in ten classes."""
    splits = digits.load_digits()
    parts = (splits.train, splits.validation, splits.test)
    assert [len(part) for part in parts] == [1097, 250, 450]
    for part in parts:
        assert part.name == "digits"
        assert part.input_shape == (8, 8, 1)
        assert part.pixel_scale == part.images.max() == 16
        assert set(part.labels) == set(range(10)) == set(map(int, part.classes))


def test_parts_are_disjoint_and_complete() -> None:
    """Train, validation and test together hold every image of the set once."""
    splits = digits.load_digits()
    whole = digits._load_all()

    def rows(dataset: digits.Dataset) -> list[bytes]:
        pairs = zip(dataset.images, dataset.labels, strict=True)
        return [image.tobytes() + bytes([label]) for image, label in pairs]

    parts = rows(splits.train) + rows(splits.validation) + rows(splits.test)
    assert sorted(parts) == sorted(rows(whole))
    assert len(set(parts)) == 1797  # no image occurs twice, so the parts cannot share one


def test_loading_twice_gives_equal_parts() -> None:
    """No seed, no state: the split is always the same."""
    first, second = digits.load_digits(), digits.load_digits()
    np.testing.assert_array_equal(first.test.images, second.test.images)
    np.testing.assert_array_equal(first.train.labels, second.train.labels)


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_asset_is_refused(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flipped, shortened or missing asset is a DatasetError that names the file."""
    data = bytearray(digits._read_asset())
    data[100] ^= 1
    asset = tmp_path / "assets" / "digits.bin"
    asset.parent.mkdir()
    if damage != "remove":
        asset.write_bytes(data if damage == "flip" else data[:-1])
    monkeypatch.setattr(digits.resources, "files", lambda _: tmp_path)
    with pytest.raises(DatasetError, match="reinstall") as caught:
        digits.load_digits()
    assert caught.value.path == asset


def test_attribution_is_shipped() -> None:
    """The licence and the source lie beside the data in the installed package."""
    text = (digits.resources.files("kdq_ref.data") / "assets" / "digits.txt").read_text()
    assert "CC BY 4.0" in text
    assert "10.24432/C50P49" in text
