"""The history file holds the epochs of its run, one JSON object a line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from kdq_ref.train import EpochRecord
from kdq_ref.train.history import HistoryFile

RECORDS = [
    EpochRecord(1, 10, 0.1, 2.0, 0.25, 1.5, 0.5, 3.25),
    EpochRecord(2, 20, 0.05, 1.0 / 3.0, None, None, None, 1e-9),
    EpochRecord(3, 30, 0.0, 0.0, 1.0, 0.1, 1.0, 2.0),
]


def _read(path: Path) -> list[EpochRecord]:
    return [EpochRecord(**json.loads(line)) for line in path.read_text().splitlines()]


def test_every_line_is_an_epoch(tmp_path: Path) -> None:
    """Values come back exactly, in the documented keys, and each epoch is there at once."""
    path = tmp_path / "history.jsonl"
    file = HistoryFile(path)
    assert path.read_bytes() == b""
    for count, record in enumerate(RECORDS, 1):
        file.append(record)
        assert _read(path) == RECORDS[:count]
    keys = [field.name for field in dataclasses.fields(EpochRecord)]
    assert list(json.loads(path.read_text().splitlines()[0])) == keys


def test_a_resumed_run_replaces_what_is_there(tmp_path: Path) -> None:
    """Epochs beyond the checkpoint, and a half-written line, do not survive."""
    path = tmp_path / "history.jsonl"
    file = HistoryFile(path)
    for record in RECORDS:
        file.append(record)
    with open(path, "a") as half:
        half.write('{"epoch": 4, "st')
    HistoryFile(path, RECORDS[:1]).append(RECORDS[1])
    assert _read(path) == RECORDS[:2]
