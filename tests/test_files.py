"""Files: atomic, self-checking, and never trusted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdq_ref import files
from kdq_ref.errors import ModelFileError

TENSORS = {
    "w": np.arange(-6, 6, dtype=np.int8).reshape(3, 4),
    "b": np.array([1, -2, 3], np.int32),
    "empty": np.zeros((0, 5), np.float32),
    "scalar": np.array(7, np.int64),
}
MANIFEST = {"layers": [{"name": "fc", "scale": 0.1}], "text": "naïve \u2028"}


def _load(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    return files.load_tensors(path, kind="test", error=ModelFileError)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("files") / "sample"
    files.save_tensors(path, TENSORS, MANIFEST, kind="test")
    return path.read_bytes()


def _assert_identical(tensors: dict[str, np.ndarray], manifest: dict) -> None:
    assert manifest == MANIFEST
    assert tensors.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        assert tensors[name].dtype == array.dtype
        assert tensors[name].shape == array.shape
        np.testing.assert_array_equal(tensors[name], array)


def test_round_trip(tmp_path: Path) -> None:
    """What was saved comes back: dtypes, shapes (also empty and 0-d), bytes, manifest."""
    files.save_tensors(tmp_path / "f", TENSORS, MANIFEST, kind="test")
    tensors, manifest = _load(tmp_path / "f")
    _assert_identical(tensors, manifest)
    assert all(array.flags.writeable and array.flags.owndata for array in tensors.values())


def test_the_kind_chooses_the_loader(tmp_path: Path, sample: bytes) -> None:
    """A file says its kind before anybody knows how to load it; other files are an error."""
    (tmp_path / "f").write_bytes(sample)
    assert files.kind_of(tmp_path / "f", error=ModelFileError) == "test"
    (tmp_path / "f").write_bytes(sample[:50])
    with pytest.raises(ModelFileError):
        files.kind_of(tmp_path / "f", error=ModelFileError)


def test_same_content_same_bytes(tmp_path: Path) -> None:
    """Insertion order does not reach the file."""
    files.save_tensors(tmp_path / "a", TENSORS, MANIFEST, kind="test")
    turned = dict(reversed(list(TENSORS.items())))
    files.save_tensors(tmp_path / "b", turned, MANIFEST, kind="test")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@settings(max_examples=400)
@given(position=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_any_flipped_byte_is_found(
    sample: bytes, tmp_path_factory: pytest.TempPathFactory, position: int, flip: int
) -> None:
    """One changed byte anywhere: a typed error, or (in header padding) the identical content."""
    damaged = bytearray(sample)
    damaged[position % len(sample)] ^= flip
    path = tmp_path_factory.getbasetemp() / "flipped"
    path.write_bytes(damaged)
    try:
        content = _load(path)
    except ModelFileError:
        return
    _assert_identical(*content)


@settings(max_examples=100)
@given(keep=st.integers(0, 10**6))
def test_any_truncation_is_found(
    sample: bytes, tmp_path_factory: pytest.TempPathFactory, keep: int
) -> None:
    """A file cut short at any byte is a typed error."""
    path = tmp_path_factory.getbasetemp() / "cut"
    path.write_bytes(sample[: keep % len(sample)])
    with pytest.raises(ModelFileError):
        _load(path)


def _with_header(header: str, data: bytes = b"") -> bytes:
    raw = header.encode("utf-8", "surrogatepass")
    return len(raw).to_bytes(8, "little") + raw + data


def _with_envelope(envelope: str, tensors: str = "") -> bytes:
    return _with_header(f'{{"__metadata__":{{"kdq":{json.dumps(envelope)}}}{tensors}}}')


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "truncated"),
        (b"\xff" * 8, "truncated"),
        (_with_header('{"a":1,"a":2}'), "duplicate key 'a'"),
        (_with_header("[" * 100_000), "JSON"),
        (_with_header("NaN"), "NaN is not allowed"),
        (_with_header("[1]"), "not a safetensors header"),
        (_with_header('{"__metadata__":3}'), "not a safetensors header"),
        (_with_header('{"a":{"dtype":"F16","shape":[0],"data_offsets":[0,0]}}'), "dtype 'F16'"),
        (_with_header('{"a":3}'), "dtype None"),
        (_with_header("{}"), "not written by kdq_ref"),
        (_with_header('{"__metadata__":{"kdq":3}}'), "not written by kdq_ref"),
        (_with_envelope("[1]"), "not a JSON object"),
        (_with_envelope('{"kind":"other"}'), "holds 'other', not 'test'"),
        (_with_envelope('{"kind":"test","manifest":[1]}'), "manifest is not a JSON object"),
        (_with_envelope('{"kind":"test","manifest":{"a":1,"a":1}}'), "duplicate key 'a'"),
        (_with_envelope('{"kind":"test","manifest":{"a":Infinity}}'), "Infinity is not allowed"),
        (
            _with_envelope(
                '{"kind":"test","manifest":{}}',
                ',"a":{"dtype":"I8","shape":[99],"data_offsets":[0,99]}',
            ),
            "not a valid safetensors file",
        ),
        (_with_envelope('{"kind":"test","manifest":{}}'), "its own digest"),
    ],
)
def test_each_fault_is_named(tmp_path: Path, content: bytes, fault: str) -> None:
    """Each way a file can be wrong is a typed error that says which."""
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(ModelFileError, match=fault):
        _load(tmp_path / "bad")


def test_size_cap_and_missing_file(tmp_path: Path) -> None:
    """Too large and not there are typed errors as well."""
    files.save_tensors(tmp_path / "f", TENSORS, MANIFEST, kind="test")
    with pytest.raises(ModelFileError, match="larger than the 10 bytes"):
        files.load_tensors(tmp_path / "f", kind="test", error=ModelFileError, max_bytes=10)
    with pytest.raises(ModelFileError, match="cannot be read: No such file"):
        _load(tmp_path / "missing")


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails half way, the old bytes stay and no temporary file is left."""
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        files.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["f"]


def test_symlink_stays_a_symlink(tmp_path: Path) -> None:
    """Saving through a link replaces what it points to, not the link."""
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    files.write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


_SAVER = """
import sys
import numpy as np
from kdq_ref import files
path = sys.argv[1]
print("ready", flush=True)
value = 0
while True:
    value = (value + 1) % 251
    weights = np.full(200_000, value, np.uint8)
    files.save_tensors(path, {"w": weights}, {"value": value}, kind="test")
"""


def test_kill_during_saves_leaves_a_whole_file(tmp_path: Path) -> None:
    """SIGKILL at 100 random moments of a saving loop: the file is always whole."""
    path = tmp_path / "model"
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(100):
        child = subprocess.Popen([sys.executable, "-c", _SAVER, str(path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(float(rng.uniform(0.0, 0.03)))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        if path.exists():
            tensors, manifest = _load(path)
            assert (tensors["w"] == manifest["value"]).all()
            seen.add(manifest["value"])
    assert len(seen) > 1, "no save ever completed: the test killed too early to prove anything"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (_with_envelope('{"kind":"test","manifest":{"scale":1e999},"digest":""}'), "1e999"),
        (_with_header('{"a":{"dtype":["I8"],"shape":[1],"data_offsets":[0,1]}}', b"0"), "dtype"),
    ],
)
def test_values_beyond_the_format(tmp_path: Path, content: bytes, fault: str) -> None:
    """A number that float64 cannot hold, a dtype that is no text."""
    path = tmp_path / "odd"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=fault):
        _load(path)


def test_an_impossible_path_is_a_typed_error() -> None:
    """A null byte ends a name too early, and a name has a largest length."""
    for name in ("a\0b", "a" * 5000):
        with pytest.raises(ModelFileError, match="cannot be read"):
            _load(Path(name))


def test_the_format_is_checked_and_taken_out(tmp_path: Path) -> None:
    """A file of this version loads as what was saved; the entry is where it always was."""
    path = tmp_path / "f"
    files.save_tensors(path, TENSORS, MANIFEST, kind="test", format=3)
    _, manifest = files.load_tensors(path, kind="test", error=ModelFileError, format=3)
    assert manifest == MANIFEST
    assert _load(path)[1] == {"format": 3, **MANIFEST}


@pytest.mark.parametrize("found", [2, 0, True, 1.0, "1", None, [1]])
def test_another_format_is_an_error(tmp_path: Path, found: object) -> None:
    """Older, newer, missing, or only equal to the right number."""
    path = tmp_path / "f"
    manifest = MANIFEST if found is None else {"format": found, **MANIFEST}
    files.save_tensors(path, TENSORS, manifest, kind="test")
    message = re.escape(f"has format {found!r}; this version reads format 1")
    with pytest.raises(ModelFileError, match=message):
        files.load_tensors(path, kind="test", error=ModelFileError, format=1)
