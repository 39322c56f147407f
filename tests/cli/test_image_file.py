"""Images from idx and .npy files."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.cli.image_file import read_images
from kdq_ref.data import write_idx
from kdq_ref.errors import DatasetError

PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


def _save(path: Path, array: np.ndarray) -> Path:
    with open(path, "wb") as file:
        np.save(file, array)
    return path


@pytest.mark.parametrize("shape", [(2, 4, 3), (2, 4, 3, 1)])
def test_pixels_of_either_format(shape: tuple[int, ...], tmp_path: Path) -> None:
    """uint8 is divided by the pixel scale, in float32."""
    write_idx(tmp_path / "idx.gz", PIXELS.reshape(shape))
    _save(tmp_path / "npy", PIXELS.reshape(shape))
    for name in ("idx.gz", "npy"):
        images = read_images(tmp_path / name, (4, 3, 1), 16, integer=False)
        np.testing.assert_array_equal(images, PIXELS[..., None] / np.float32(16), strict=True)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 1)])
def test_a_single_image(shape: tuple[int, ...], tmp_path: Path) -> None:
    """One image is a batch of one, with or without its last axis."""
    path = _save(tmp_path / "f", PIXELS[0].reshape(shape))
    assert read_images(path, (4, 3, 1), 255, integer=True).shape == (1, 4, 3, 1)


def test_values_and_codes_are_kept(tmp_path: Path) -> None:
    """float32 goes as it is; int8 only to a network that takes codes."""
    values = PIXELS.astype(np.float32) / 3
    path = _save(tmp_path / "f", values)
    np.testing.assert_array_equal(read_images(path, (4, 3), None, integer=False), values)
    codes = PIXELS.astype(np.int8)
    path = _save(tmp_path / "i", codes)
    np.testing.assert_array_equal(read_images(path, (4, 3), None, integer=True), codes, strict=True)
    with pytest.raises(DatasetError, match="int8"):
        read_images(path, (4, 3), None, integer=False)


@pytest.mark.parametrize("scale", [None, 0, -1, 256, 10**400, 1.0, True, "16"])
def test_pixels_need_a_scale(scale: object, tmp_path: Path) -> None:
    """Metadata that does not say what white is makes pixels useless."""
    with pytest.raises(DatasetError, match="pixel codes"):
        read_images(_save(tmp_path / "f", PIXELS), (4, 3), scale, integer=True)


@pytest.mark.parametrize(
    ("array", "fault"),
    [
        (PIXELS.astype(np.float64), "float64"),
        (PIXELS[:, :3], "holds an array"),
        (PIXELS[None], "holds an array"),
        (np.array(5, np.uint8), "holds an array"),
        (np.array([{}, None], dtype=object), "not a valid"),
    ],
)
def test_other_arrays(array: np.ndarray, fault: str, tmp_path: Path) -> None:
    """Other dtypes and shapes are typed errors; objects are never unpickled."""
    path = tmp_path / "f"
    with open(path, "wb") as file:
        np.save(file, array, allow_pickle=True)
    with pytest.raises(DatasetError, match=fault):
        read_images(path, (4, 3), 16, integer=True)


def test_missing_files_and_directories(tmp_path: Path) -> None:
    """Not a file: an error that says so."""
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(DatasetError, match="is not a file"):
            read_images(path, (4, 3), 16, integer=True)


@given(st.data())
def test_damaged_npy(data: st.DataObject) -> None:
    """Any cut or flipped byte gives a typed error, or an array of the right shape."""
    with tempfile.TemporaryDirectory() as name:
        path = _save(Path(name, "f"), PIXELS)
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[at] ^= data.draw(st.integers(1, 255))
        else:
            del content[at:]
        path.write_bytes(content)
        with contextlib.suppress(DatasetError):
            assert read_images(path, (4, 3), 16, integer=True).shape == (2, 4, 3)


def test_a_header_that_promises_too_little(tmp_path: Path) -> None:
    """One flipped byte may not turn two images into none: what is left over is an error."""
    path = _save(tmp_path / "f", PIXELS)
    path.write_bytes(path.read_bytes().replace(b"(2, 4, 3)", b"(0, 4, 3)"))
    with pytest.raises(DatasetError, match="not a valid"):
        read_images(path, (4, 3), 16, integer=True)


def test_a_header_that_promises_too_much(tmp_path: Path) -> None:
    """Nothing is allocated for elements that the file does not hold."""
    path = _save(tmp_path / "f", PIXELS)
    content = path.read_bytes()
    header = content.replace(b"(2, 4, 3)", b"(2000000000000, 4, 3)").replace(b" " * 12, b"", 1)
    path.write_bytes(header)
    with pytest.raises(DatasetError, match="not a valid"):
        read_images(path, (4, 3), 16, integer=True)
