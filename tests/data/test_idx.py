"""idx files: what was written comes back; what was damaged is found or cannot be."""

from __future__ import annotations

import gzip
import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kdq_ref.data import read_idx, write_idx
from kdq_ref.errors import DatasetError, DTypeError, ShapeError

NATIVE = [np.uint8, np.int8, np.int16, np.int32, np.float32, np.float64]
SUFFIXES = ["", ".gz"]
ARRAYS = st.sampled_from(NATIVE).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=8, max_side=4))
)
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idx")


@pytest.fixture(scope="module", params=SUFFIXES, ids=["plain", "gzip"])
def stored(request: pytest.FixtureRequest, folder: Path) -> tuple[Path, bytes]:
    """IMAGES as a file, and the bytes it holds."""
    path = folder / f"images{request.param}"
    write_idx(path, IMAGES)
    return path.with_name("damaged"), path.read_bytes()


def _header(shape: tuple[int, ...], code: int = 0x08) -> bytes:
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape)


def _outcome(path: Path) -> np.ndarray | DatasetError:
    try:
        return read_idx(path, dtype=np.uint8, ndim=3)
    except DatasetError as fault:
        return fault


def _peak_bytes(call: Callable[[], None]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=60)
@given(array=ARRAYS)
def test_round_trip(folder: Path, suffix: str, array: np.ndarray) -> None:
    """Shape, dtype and every bit (also NaN) survive, into a writable native array."""
    path = folder / f"round{suffix}"
    write_idx(path, array)
    back = read_idx(path, dtype=array.dtype, ndim=array.ndim)
    assert back.shape == array.shape
    assert back.dtype == array.dtype
    assert back.dtype.isnative
    assert back.flags.writeable
    assert back.tobytes() == array.tobytes()


def test_layout_is_the_published_one(tmp_path: Path) -> None:
    """Byte for byte the documented layout, big-endian."""
    write_idx(tmp_path / "x", np.array([[1, -2], [3, 256]], np.int32))
    expected = "00000c02 00000002 00000002 00000001 fffffffe 00000003 00000100"
    assert (tmp_path / "x").read_bytes() == bytes.fromhex(expected)


def test_gzip_bytes_are_reproducible(tmp_path: Path) -> None:
    """Two files of one array are equal, and a stranger's gunzip can read them."""
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, IMAGES)
    data = (tmp_path / "a.gz").read_bytes()
    assert data == (tmp_path / "b.gz").read_bytes()
    assert gzip.decompress(data) == _header(IMAGES.shape) + IMAGES.tobytes()


def test_strided_array_is_written_in_c_order(tmp_path: Path) -> None:
    """A transposed, read-only view is stored as its values, not as its memory."""
    view = IMAGES.T[::-1]
    view.flags.writeable = False
    write_idx(tmp_path / "x", view)
    np.testing.assert_array_equal(read_idx(tmp_path / "x"), view)


def test_gzip_is_known_by_content(tmp_path: Path) -> None:
    """A gzip file without .gz, in several members and padded with zeros, is read all the same."""
    data = _header(IMAGES.shape) + IMAGES.tobytes()
    (tmp_path / "x").write_bytes(gzip.compress(data[:20]) + gzip.compress(data[20:]) + bytes(9))
    np.testing.assert_array_equal(read_idx(tmp_path / "x"), IMAGES)


@settings(max_examples=200)
@given(data=st.data())
def test_truncation_is_found(stored: tuple[Path, bytes], data: st.DataObject) -> None:
    """A file cut anywhere is a DatasetError that names it."""
    path, content = stored
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1), label="kept")])
    with pytest.raises(DatasetError) as caught:
        read_idx(path, dtype=np.uint8, ndim=3)
    assert caught.value.path == path


@settings(max_examples=300)
@given(data=st.data())
def test_a_changed_byte_never_changes_the_shape(
    stored: tuple[Path, bytes], data: st.DataObject
) -> None:
    """One byte changed anywhere: an error or, for a pixel of a plain file, only that pixel."""
    path, content = stored
    at = data.draw(st.integers(0, len(content) - 1), label="at")
    flip = data.draw(st.integers(1, 255), label="flip")
    damaged = bytearray(content)
    damaged[at] ^= flip
    path.write_bytes(damaged)
    array = _outcome(path)
    if isinstance(array, DatasetError):
        assert array.path == path
        return
    assert array.shape == IMAGES.shape
    assert array.dtype == IMAGES.dtype
    expected = bytearray(IMAGES.tobytes())
    if content[:1] == b"\0":
        expected[at - 16] ^= flip  # the header is 16 bytes: a change there would have raised
        assert at >= 16
    assert array.tobytes() == bytes(expected)


@settings(max_examples=100)
@given(extra=st.binary(min_size=1, max_size=40))
def test_trailing_bytes_are_found(folder: Path, extra: bytes) -> None:
    """Bytes behind the last element are an error, plain and inside gzip."""
    content = _header(IMAGES.shape) + IMAGES.tobytes() + extra
    for data in (content, gzip.compress(content)):
        (folder / "long").write_bytes(data)
        with pytest.raises(DatasetError, match="trailing"):
            read_idx(folder / "long")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "nothing"),
        (b"\0\0", "not an idx file"),
        (b"PK\x03\x04" + bytes(40), "not an idx file: it starts with 50 4b 03 04"),
        (b"\0\0\x07\x01" + bytes(40), "not an idx file"),
        (_header(()) + b"\0", "has 0 axes, expected 1 to 8"),
        (_header((1,) * 9) + b"\0", "has 9 axes, expected 1 to 8"),
        (_header((3, 2))[:-1], "truncated inside its header"),
        (_header((0, 2**32 - 1, 2**32 - 1)), "empty axis"),
        (_header((3, 2)) + bytes(5), "truncated"),
        (_header((3,), 0x0C) + bytes(11), "truncated"),
        (_header((2**32 - 1,) * 8), "too large"),
        (b"\x1f\x8b", "gzip"),
        (b"\x1f\x8b\x08" + bytes(30), "gzip"),
        (gzip.compress(_header((3, 2)) + bytes(5)), "truncated"),
        (gzip.compress(_header((3, 2)) + bytes(6)) + b"x", "gzip"),
        (gzip.compress(b""), "nothing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_fault_is_named(tmp_path: Path, content: bytes, fault: str) -> None:
    """The message names the file and says what is wrong with it."""
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=fault) as caught:
        read_idx(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("expected", "fault"),
    [
        ({"dtype": np.int8}, "holds uint8, expected int8"),
        ({"ndim": 1}, "has 3 axes, expected 1"),
        ({"max_bytes": 59}, r"takes 60 bytes, allowed 59"),
    ],
)
def test_the_caller_may_expect_more(tmp_path: Path, expected: dict, fault: str) -> None:
    """Another dtype, rank or a lower limit than the file's is an error, else it is read."""
    write_idx(tmp_path / "x", IMAGES)
    np.testing.assert_array_equal(read_idx(tmp_path / "x", max_bytes=60), IMAGES)
    with pytest.raises(DatasetError, match=fault):
        read_idx(tmp_path / "x", **expected)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(_header((1 << 29,)) + bytes(100), id="plain"),
        pytest.param(gzip.compress(_header((1 << 29,)) + bytes(100)), id="gzip"),
        pytest.param(gzip.compress(_header((100,)) + bytes(1 << 26)), id="bomb"),
        pytest.param(gzip.compress(_header((1 << 27,)) + bytes(1 << 26)), id="huge-bomb"),
    ],
)
def test_lies_about_the_size_cost_no_memory(tmp_path: Path, content: bytes) -> None:
    """A header that promises too much, or a gzip bomb, is refused within 1 MiB of memory."""
    (tmp_path / "x").write_bytes(content)

    def refuse() -> None:
        with pytest.raises(DatasetError):
            read_idx(tmp_path / "x", max_bytes=1 << 29 if len(content) < 200 else 1 << 26)

    assert _peak_bytes(refuse) < 1 << 20


def test_what_is_no_readable_file(tmp_path: Path) -> None:
    """A missing file, a directory and a pipe nobody writes to are errors, and none waits."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "pipe"):
        with pytest.raises(DatasetError, match="not a file"):
            read_idx(path)


@pytest.mark.parametrize(
    ("array", "error"),
    [
        (np.zeros(3, np.int64), DTypeError),
        (np.zeros(3, bool), DTypeError),
        (np.zeros(3, np.dtype(np.int16).newbyteorder()), DTypeError),
        (np.zeros((), np.uint8), ShapeError),
        (np.zeros((2, 0), np.uint8), ShapeError),
        (np.zeros((1,) * 9, np.uint8), ShapeError),
    ],
)
def test_what_the_format_cannot_hold(
    tmp_path: Path, array: np.ndarray, error: type[Exception]
) -> None:
    """Nothing is cast or reshaped silently, and no file appears."""
    with pytest.raises(error):
        write_idx(tmp_path / "x", array)
    assert not list(tmp_path.iterdir())
