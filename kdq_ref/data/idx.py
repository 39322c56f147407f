"""The idx format of MNIST: one dense array per file, plain or gzip.

::

    offset  content
    0       0x00 0x00
    2       dtype code (table below), one byte
    3       number of axes d, one byte
    4       d axis lengths, big-endian uint32
    4+4d    elements in C order, big-endian

The format has no checksum, so the reader insists on everything that can be known: the exact number
of bytes, and the dtype and axes that its caller expects. It looks before it allocates.

Source: Y. LeCun, C. Cortes, C. Burges, *The MNIST database of handwritten digits*, section "the
IDX file format".
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from kdq_ref.checks import check_array
from kdq_ref.errors import DatasetError, ShapeError
from kdq_ref.files import write_atomically

MAX_BYTES = 1 << 30
MAX_AXES = 8
_DTYPES: dict[int, np.dtype] = {
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(np.int16),
    0x0C: np.dtype(np.int32),
    0x0D: np.dtype(np.float32),
    0x0E: np.dtype(np.float64),
}
_GZIP_MAGIC = b"\x1f\x8b"
# No deflate stream expands further: 258 bytes from two bits (zlib technical details).
_DEFLATE_RATIO = 1032
_CHUNK = 1 << 20


def read_idx(
    path: str | os.PathLike[str],
    *,
    dtype: Any = None,
    ndim: int | None = None,
    max_bytes: int = MAX_BYTES,
) -> np.ndarray:
    """Read one idx file.

    Parameters
    ----------
    path : path-like
        Gzip is recognised by its first two bytes, whatever the name.
    dtype : dtype, optional
        What the file must hold; by default anything the format knows.
    ndim : int, optional
        How many axes it must have.
    max_bytes : int
        Files that declare more elements than fit into this are refused unread.

    Returns
    -------
    ndarray
        In native byte order, writable, never empty.

    Raises
    ------
    DatasetError
        Missing, unreadable, not idx, another dtype or number of axes, an empty axis, too large,
        truncated, trailing bytes, damaged gzip stream.
    """
    try:
        # Looked at first because opening a pipe would wait for a writer.
        if not Path(path).is_file():
            raise DatasetError(path, "is not a file")
        with open(path, "rb") as file:
            stored = os.fstat(file.fileno()).st_size
            zipped = file.peek(2)[:2] == _GZIP_MAGIC
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=file) if zipped else file)
            shape, kind = _read_header(path, stream, dtype, ndim)
            needed = math.prod(shape) * kind.itemsize
            if needed > max_bytes:
                raise DatasetError(
                    path, f"is too large: shape {shape} takes {needed} bytes, allowed {max_bytes}"
                )
            room = stored * _DEFLATE_RATIO if zipped else stored - file.tell()
            if needed > room:
                raise DatasetError(
                    path, f"is truncated: shape {shape} takes {needed} bytes, at most {room} follow"
                )
            return _read_elements(path, stream, shape, kind)
    except (zlib.error, EOFError, gzip.BadGzipFile) as fault:
        raise DatasetError(path, f"is a damaged or truncated gzip file: {fault}") from fault
    except OSError as fault:
        raise DatasetError(path, f"cannot be read: {fault.strerror or fault}") from fault


def write_idx(path: str | os.PathLike[str], array: np.ndarray) -> None:
    """Write one idx file, atomically; gzip when the name ends in ``.gz``.

    Parameters
    ----------
    path : path-like
    array : ndarray
        uint8, int8, int16, int32, float32 or float64; 1 to 8 axes, none of length 0.

    Raises
    ------
    DTypeError, ShapeError
        For an array the format cannot hold.
    """
    array = check_array("array", array, dtype=tuple(_DTYPES.values()))
    if not 1 <= array.ndim <= MAX_AXES or array.size == 0:
        raise ShapeError(
            f"an idx file holds 1 to {MAX_AXES} axes, none of length 0; got shape {array.shape}"
        )
    code = next(code for code, dtype in _DTYPES.items() if dtype == array.dtype)
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    data = header + array.astype(array.dtype.newbyteorder(">")).tobytes()
    if os.fspath(path).endswith(".gz"):
        # A fixed time: the same array gives the same bytes.
        data = gzip.compress(data, compresslevel=6, mtime=0)
    write_atomically(path, data)


def _read_header(
    path: str | os.PathLike[str], stream: IO[bytes], dtype: Any, ndim: int | None
) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and native dtype; the stream is left at the first element."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise DatasetError(
            path, f"is not an idx file: it starts with {magic.hex(' ') or 'nothing'}"
        )
    kind, axes = _DTYPES[magic[2]], magic[3]
    if dtype is not None and kind != np.dtype(dtype):
        raise DatasetError(path, f"holds {kind.name}, expected {np.dtype(dtype).name}")
    if ndim is not None and axes != ndim:
        raise DatasetError(path, f"has {axes} axes, expected {ndim}")
    if not 1 <= axes <= MAX_AXES:
        raise DatasetError(path, f"has {axes} axes, expected 1 to {MAX_AXES}")
    lengths = stream.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise DatasetError(path, "is truncated inside its header")
    shape = struct.unpack(f">{axes}I", lengths)
    if 0 in shape:
        raise DatasetError(path, f"declares an empty axis: shape {shape}")
    return shape, kind


def _read_elements(
    path: str | os.PathLike[str], stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
    """Read exactly the elements of ``shape`` and see the end of the stream right behind them."""
    elements = np.empty(shape, dtype.newbyteorder(">"))
    window = elements.reshape(-1).view(np.uint8).data
    at = 0
    while at < len(window):
        chunk = stream.read(min(_CHUNK, len(window) - at))
        if not chunk:
            raise DatasetError(
                path, f"is truncated: shape {shape} takes {len(window)} bytes, only {at} follow"
            )
        window[at : at + len(chunk)] = chunk
        at += len(chunk)
    # At the end of a gzip stream this read is also what verifies its checksum.
    if stream.read(1):
        raise DatasetError(path, f"has trailing bytes after the {len(window)} of shape {shape}")
    return elements.astype(dtype, copy=False)
