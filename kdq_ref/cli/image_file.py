"""Images from a file, as a network wants them: idx, or a NumPy array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kdq_ref.data import read_idx
from kdq_ref.errors import DatasetError

_NPY_MAGIC = b"\x93NUMPY"


def read_images(
    path: Path, input_shape: tuple[int, ...], pixel_scale: Any, *, integer: bool
) -> np.ndarray:
    """Read images from an idx or ``.npy`` file.

    Parameters
    ----------
    path : Path
        The content says which of the two it is.
    input_shape : tuple of int
        Of one image. The file holds one such array or several; a last axis of length 1 may be
        missing.
    pixel_scale : object
        The pixel code that means 1.0, needed for uint8 images: an int from 1 to 255. It comes from
        a file, so it may be anything.
    integer : bool
        Whether the network takes codes.

    Returns
    -------
    (B, *input_shape) ndarray
        float32: uint8 images divided by `pixel_scale`, float32 as they are. int8 (codes) as they
        are.

    Raises
    ------
    DatasetError
    """
    array = _read_npy(path) if _starts_with(path, _NPY_MAGIC) else read_idx(path)
    images = _as_batch(path, array, input_shape)
    if images.dtype == np.uint8:
        if type(pixel_scale) is not int or not 1 <= pixel_scale <= 255:
            raise DatasetError(
                path,
                "holds pixel codes, but the model does not say which code means 1.0; "
                "give float32 images",
            )
        return np.divide(images, np.float32(pixel_scale), dtype=np.float32)
    if images.dtype == np.float32 or (integer and images.dtype == np.int8):
        return images
    codes = ", or int8 codes" if integer else ""
    raise DatasetError(
        path, f"holds {images.dtype.name}; this network takes uint8 pixels, float32 values{codes}"
    )


def _starts_with(path: Path, magic: bytes) -> bool:
    # Looked at first because opening a pipe would wait for a writer.
    if not path.is_file():
        raise DatasetError(path, "is not a file")
    with open(path, "rb") as file:
        return file.read(len(magic)) == magic


def _read_npy(path: Path) -> np.ndarray:
    # The parser of its header lets through whatever Python's own tokenizer raises: catch it all.
    try:
        # A memory map refuses objects, and headers that promise more than the file holds.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        left = path.stat().st_size - mapped.offset - mapped.nbytes
        array = np.array(mapped)
    except Exception as fault:
        raise DatasetError(path, f"is not a valid .npy file: {fault}") from fault
    if left:
        raise DatasetError(path, f"is not a valid .npy file: {left} bytes follow its array")
    return array


def _as_batch(path: Path, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    for one in (shape, shape[:-1] if shape[-1] == 1 else shape):
        if array.shape == one:
            return array.reshape(1, *shape)
        if array.shape[1:] == one and array.ndim == len(one) + 1:
            return array.reshape(len(array), *shape)
    raise DatasetError(path, f"holds an array {array.shape}; the network reads images {shape}")
