"""Files on disk: written whole or not at all, read without trust.

Every file this package keeps (integer models, float models, checkpoints, soft labels) is one
safetensors file whose header carries one string, ``kdq``, a JSON object of

``kind``
    What the file holds, so that a checkpoint is not mistaken for a model.
``manifest``
    Everything that is not a tensor.
``digest``
    SHA-256 over kind, manifest and every tensor's name, dtype, shape and bytes. A flipped bit
    anywhere is therefore found, never computed with.

The same content gives the same bytes, so files may be compared.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as _parse_tensors
from safetensors.numpy import save as _serialize_tensors

from kdq_ref.errors import FileFormatError, InvalidArgumentError

MAX_FILE_BYTES = 1 << 30
MAX_HEADER_BYTES = 16 << 20
_DTYPES = frozenset({"I8", "U8", "I32", "I64", "F32", "F64"})


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace the file at ``path`` by ``data``, all of it or nothing.

    The bytes go to a temporary file beside the target, are forced to disk, and take the name in
    one rename; then the directory is forced to disk. A reader, a crash or a kill sees the old file
    or the new one. A kill may leave a ``.NAME.*.tmp`` file behind, which nothing reads.

    Raises
    ------
    OSError
        If the directory is missing or not writable, or the disk is full; the old file is intact.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        # A plain open, unlike mkstemp, honours the user's umask.
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    # Windows cannot open a directory; there the rename alone has to do.
    with contextlib.suppress(PermissionError):
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def tensors_digest(tensors: dict[str, np.ndarray], *context: str) -> str:
    """SHA-256 (hex) over ``context`` strings and every tensor, in the order of their names."""
    sha = hashlib.sha256()
    for part in context:
        _update_sized(sha, part.encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        _update_sized(sha, f"{name}|{array.dtype.str}|{array.shape}".encode())
        _update_sized(sha, array.tobytes())
    return sha.hexdigest()


def _update_sized(sha: Any, data: bytes) -> None:
    """Feed length and bytes, so that moving a byte between fields changes the digest."""
    sha.update(len(data).to_bytes(8, "little"))
    sha.update(data)


def save_tensors(
    path: str | os.PathLike[str],
    tensors: dict[str, np.ndarray],
    manifest: dict[str, Any],
    *,
    kind: str,
    format: int | None = None,
) -> None:
    """Write tensors and a JSON manifest as one safetensors file, atomically.

    Parameters
    ----------
    path : path-like
    tensors : dict of str to ndarray
        int8, uint8, int32, int64, float32 or float64.
    manifest : dict
        Must survive JSON (finite numbers only).
    kind : str
        What the file is; :func:`load_tensors` asks for it.
    format : int, optional
        Version of what this kind of file holds; becomes the manifest's entry ``format``.

    Raises
    ------
    InvalidArgumentError
        If JSON cannot hold the manifest.
    OSError
        As :func:`write_atomically`.
    """
    if format is not None:
        manifest = {**manifest, "format": format}
    try:
        text = _canonical_json(manifest)
    except (TypeError, ValueError, RecursionError) as fault:
        raise InvalidArgumentError(f"the manifest does not survive JSON: {fault}") from fault
    # Copied into C order, keeping 0-d arrays 0-d (ascontiguousarray would make them 1-d).
    arrays = {name: np.array(tensors[name], order="C") for name in sorted(tensors)}
    envelope = {
        "kind": kind,
        "manifest": manifest,
        "digest": tensors_digest(arrays, kind, text),
    }
    # One metadata string only: the serializer writes several in no fixed order.
    metadata = {"kdq": _canonical_json(envelope)}
    write_atomically(path, _serialize_tensors(arrays, metadata=metadata))


def load_tensors(
    path: str | os.PathLike[str],
    *,
    kind: str,
    error: type[FileFormatError],
    format: int | None = None,
    max_bytes: int = MAX_FILE_BYTES,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what :func:`save_tensors` wrote; any fault is ``error``, naming the file and the fault.

    Parameters
    ----------
    path : path-like
    kind : str
        The kind the caller expects.
    error : subclass of FileFormatError
    format : int, optional
        The version the caller reads: the manifest's entry ``format``, which is taken out.
    max_bytes : int
        Larger files are refused before they are read.

    Returns
    -------
    tensors : dict of str to ndarray
        Writable arrays, owning their memory.
    manifest : dict
    """
    data = _read(path, error, max_bytes)
    envelope = _read_envelope(path, data, error)
    if envelope.get("kind") != kind:
        raise error(path, f"holds {envelope.get('kind')!r}, not {kind!r}")
    manifest = envelope.get("manifest")
    if not isinstance(manifest, dict):
        raise error(path, "its manifest is not a JSON object")
    try:
        tensors = {name: np.array(array) for name, array in _parse_tensors(data).items()}
    except (SafetensorError, ValueError, KeyError, TypeError) as fault:
        raise error(path, f"is not a valid safetensors file: {fault}") from fault
    if tensors_digest(tensors, kind, _canonical_json(manifest)) != envelope.get("digest"):
        raise error(path, "does not match its own digest: the file was damaged or edited")
    if format is not None:
        found = manifest.pop("format", None)
        # 1.0 and true equal 1, but nobody writes them.
        if type(found) is not int or found != format:
            raise error(path, f"has format {found!r}; this version reads format {format}")
    return tensors, manifest


def kind_of(path: str | os.PathLike[str], *, error: type[FileFormatError]) -> str:
    """Return the kind of a file that :func:`save_tensors` wrote, to choose who should load it.

    Only the header is looked at: :func:`load_tensors` is what finds damage.
    """
    return str(_read_envelope(path, _read(path, error, MAX_FILE_BYTES), error).get("kind"))


def _canonical_json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))


def parse_json(path: str | os.PathLike[str], text: str, error: type[FileFormatError]) -> Any:
    """Parse JSON strictly: duplicate keys, NaN and infinities are ``error``."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"duplicate key {twice!r}")
        return result

    def reject(constant: str) -> Any:
        raise ValueError(f"{constant} is not allowed")

    def finite(digits: str) -> float:
        number = float(digits)
        return number if math.isfinite(number) else reject(digits)

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=reject, parse_float=finite)
    except (ValueError, RecursionError) as fault:
        raise error(path, f"holds invalid JSON: {fault}") from fault


def _read(path: str | os.PathLike[str], error: type[FileFormatError], max_bytes: int) -> bytes:
    try:
        with open(path, "rb") as file:
            # One byte more than allowed tells "too large" apart without trusting stat.
            data = file.read(max_bytes + 1)
    except OSError as fault:
        raise error(path, f"cannot be read: {fault.strerror}") from fault
    except ValueError as fault:  # a path with a null byte
        raise error(path, f"cannot be read: {fault}") from fault
    if len(data) > max_bytes:
        raise error(path, f"is larger than the {max_bytes} bytes allowed")
    return data


def _read_envelope(
    path: str | os.PathLike[str], data: bytes, error: type[FileFormatError]
) -> dict[str, Any]:
    """Return the ``kdq`` object after checking what the safetensors parser does not."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(len(data) - 8, MAX_HEADER_BYTES):
        raise error(path, "is not a safetensors file, or is truncated")
    try:
        text = data[8 : 8 + size].decode("utf-8")
    except UnicodeDecodeError as fault:
        raise error(path, f"its header is not UTF-8: {fault}") from fault
    header = parse_json(path, text, error)
    metadata = header.pop("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict):
        raise error(path, "its header is not a safetensors header")
    for name, entry in header.items():
        dtype = entry.get("dtype") if isinstance(entry, dict) else None
        if not isinstance(dtype, str) or dtype not in _DTYPES:
            raise error(path, f"tensor {name!r} has dtype {dtype!r}; allowed: {sorted(_DTYPES)}")
    if not isinstance(metadata.get("kdq"), str):
        raise error(path, "was not written by kdq_ref: its header has no 'kdq' entry")
    envelope = parse_json(path, metadata["kdq"], error)
    if not isinstance(envelope, dict):
        raise error(path, "its 'kdq' entry is not a JSON object")
    return envelope
