"""Checkpoints: all of a run comes back, or a typed error."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.manifests import edited
from strategies.training import same_bits, tiny_dataset, tiny_network

from kdq_ref import files
from kdq_ref.errors import CheckpointError
from kdq_ref.train import (
    LAST,
    Checkpoint,
    Progress,
    TrainConfig,
    fit,
    load_checkpoint,
    save_checkpoint,
)

CONFIG = TrainConfig(2, 8, optimizer="adam", optimizer_options={"betas": (0.8, 0.9)})


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a finished run."""
    directory = tmp_path_factory.mktemp("run")
    fit(tiny_network(), tiny_dataset(), tiny_dataset(9, 1), CONFIG, directory=directory)
    return directory / LAST


def _same(a: Checkpoint, b: Checkpoint) -> bool:
    plain = [(c.identity, dataclasses.astuple(c.progress), c.history) for c in (a, b)]
    parts = [(getattr(a, p), getattr(b, p)) for p in ("model", "optimizer", "best")]
    return plain[0] == plain[1] and all(same_bits(*part) for part in parts)


def test_round_trip(stored: Path, tmp_path: Path) -> None:
    """Loaded and saved again it is the same bytes, and the numbers are exact."""
    checkpoint = load_checkpoint(stored)
    assert checkpoint.progress == Progress(2, 6, checkpoint.progress.best_epoch)
    assert int(checkpoint.optimizer["steps"]) == 6
    third = dataclasses.replace(checkpoint.progress, loss_sum=1 / 3, seconds=1e-300)
    changed = dataclasses.replace(checkpoint, progress=third)
    save_checkpoint(tmp_path / "c", changed)
    assert _same(load_checkpoint(tmp_path / "c"), changed)
    save_checkpoint(tmp_path / "c", checkpoint)
    assert (tmp_path / "c").read_bytes() == stored.read_bytes()


@given(position=st.integers(0, 10**7), flip=st.integers(0, 255))
def test_any_damage_is_found(
    stored: Path, tmp_path_factory: pytest.TempPathFactory, position: int, flip: int
) -> None:
    """A flipped byte, or (flip 0) a file cut there: a typed error or the identical run."""
    content = bytearray(stored.read_bytes())
    position %= len(content)
    content[position] ^= flip
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content if flip else content[:position])
    try:
        loaded = load_checkpoint(path)
    except CheckpointError:
        return
    assert _same(loaded, load_checkpoint(stored))


@given(st.data())
def test_any_edited_manifest_is_an_error_or_a_checkpoint(
    stored: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """With a valid digest but one value replaced or removed nothing else can happen."""
    tensors, manifest = files.load_tensors(stored, kind="checkpoint", error=CheckpointError)
    file = tmp_path_factory.getbasetemp() / "edited"
    files.save_tensors(file, tensors, data.draw(edited(manifest)), kind="checkpoint")
    with contextlib.suppress(CheckpointError):
        load_checkpoint(file)


def _drop(part: str, name: str) -> Any:
    return lambda tensors, manifest: tensors.pop(f"{part}/{name}")


def _put(full_name: str, array: np.ndarray) -> Any:
    return lambda tensors, manifest: tensors.update({full_name: array})


def _progress(**change: Any) -> Any:
    return lambda tensors, manifest: manifest["progress"].update(change)


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (_drop("model", "dense1.b"), r"missing \['dense1.b'\]"),
        (_drop("best", "dense1.b"), r"missing \['dense1.b'\]"),
        (_drop("optimizer", "mean.dense1.w"), "optimizer's arrays"),
        (_drop("optimizer", "steps"), "steps"),
        (_put("optimizer/steps", np.array(5)), "did 5 of 6 steps"),
        (_put("optimizer/mean.dense1.w", np.zeros((60, 3))), "dtype float32"),
        (_put("optimizer/mean.dense1.w", np.zeros((3, 60), np.float32)), "shape"),
        (_put("optimizer/velocity.dense1.w", np.zeros((60, 3), np.float32)), "not a state of Adam"),
        (_put("elsewhere/x", np.zeros(1)), "elsewhere"),
        (_put("model", np.zeros(1, np.float32)), "unexpected"),
        (_progress(step=7), "did 6 of 7 steps"),
        (_progress(epochs=1), "does not fit"),
        (_progress(epochs=3), "does not fit"),
        (_progress(best_epoch=3), "does not fit"),
        (_progress(best_epoch=0), "no epoch"),
        (_progress(correct=1), "does not fit"),
        (_progress(step=1), "does not fit"),
        (_progress(loss_sum=None), "loss_sum"),
        (lambda tensors, manifest: manifest["history"].reverse(), "does not fit"),
        (lambda tensors, manifest: manifest.update(format=0), "has format 0"),
        (lambda tensors, manifest: manifest.update(more=0), "manifest has the keys"),
        (lambda tensors, manifest: manifest["identity"].pop("data"), "identity has the keys"),
    ],
)
def test_contradictions_are_named(stored: Path, tmp_path: Path, edit: Any, fault: str) -> None:
    """Parts that do not belong together are a typed error that says which."""
    tensors, manifest = files.load_tensors(stored, kind="checkpoint", error=CheckpointError)
    edit(tensors, manifest)
    files.save_tensors(tmp_path / "c", tensors, manifest, kind="checkpoint")
    with pytest.raises(CheckpointError, match=fault):
        load_checkpoint(tmp_path / "c")


def test_identity(stored: Path) -> None:
    """The same run passes, another one is told what differs, at most five things of it."""
    checkpoint = load_checkpoint(stored)
    identity = json.loads(json.dumps(checkpoint.identity))
    checkpoint.check_identity(stored, identity)
    identity["config"]["lr"] = 0.25
    with pytest.raises(
        CheckpointError, match=r"another run.*\(config\.lr: 0\.1 there, 0\.25 here\)"
    ):
        checkpoint.check_identity(stored, identity)
    identity["config"] = {}
    with pytest.raises(CheckpointError, match=r"; \d more\)"):
        checkpoint.check_identity(stored, identity)
