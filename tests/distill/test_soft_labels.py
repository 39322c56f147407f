"""Soft labels: made once, kept, and refused where they do not belong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies.training import tiny_dataset, tiny_network

from kdq_ref.distill import (
    SoftLabels,
    digest_of,
    generate_soft_labels,
    load_soft_labels,
    predict_logits,
    save_soft_labels,
)
from kdq_ref.errors import DatasetError, InvalidArgumentError, NotFiniteError
from kdq_ref.files import save_tensors

DATASET, TEACHER = tiny_dataset(), tiny_network()
LABELS = generate_soft_labels(TEACHER, DATASET)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of soft labels."""
    path = tmp_path_factory.mktemp("soft") / "labels.safetensors"
    save_soft_labels(path, LABELS)
    return path


def test_round_trip(stored: Path) -> None:
    """What is loaded is what the teacher said, for that teacher or without asking for one."""
    assert_array_equal(LABELS.logits, predict_logits(TEACHER, DATASET))
    for teacher in (TEACHER, TEACHER.copy(), None):
        loaded = load_soft_labels(stored, DATASET, teacher)
        assert_array_equal(loaded.logits, LABELS.logits)
        assert loaded.teacher_digest == digest_of(TEACHER)


def test_other_images_are_refused(stored: Path) -> None:
    """More, fewer, other or reordered images: a typed error."""
    for other in (
        tiny_dataset(23),
        tiny_dataset(22, seed=1),
        DATASET.subset(slice(None, None, -1)),
    ):
        with pytest.raises(DatasetError, match="belong to other images"):
            load_soft_labels(stored, other)
        with pytest.raises(InvalidArgumentError, match="belong to other images"):
            LABELS.check_dataset(other)


def test_another_teacher_is_refused(stored: Path) -> None:
    """Labels of one teacher do not pass as those of another."""
    with pytest.raises(DatasetError, match="another teacher"):
        load_soft_labels(stored, DATASET, tiny_network(seed=1))


@given(position=st.integers(0, 10**6), flip=st.integers(0, 255))
def test_any_damage_is_found(
    stored: Path, tmp_path_factory: pytest.TempPathFactory, position: int, flip: int
) -> None:
    """A flipped byte, or (flip 0) a file cut there: a typed error or the identical labels."""
    content = bytearray(stored.read_bytes())
    position %= len(content)
    content[position] ^= flip
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content if flip else content[:position])
    try:
        loaded = load_soft_labels(path, DATASET, TEACHER)
    except DatasetError:
        return
    assert_array_equal(loaded.logits, LABELS.logits)


def _manifest(**change: object) -> dict[str, object]:
    digests = {"images_digest": LABELS.images_digest, "teacher_digest": LABELS.teacher_digest}
    return {"format": 1, **digests, **change}


@pytest.mark.parametrize(
    ("tensors", "manifest", "fault"),
    [
        ({"logits": LABELS.logits}, _manifest(format=2), "has format 2"),
        ({"logits": LABELS.logits}, _manifest(extra=1), "does not hold"),
        ({"logits": LABELS.logits}, _manifest(images_digest=1), "does not hold"),
        ({"other": LABELS.logits}, _manifest(), "does not hold"),
        ({"logits": LABELS.logits.astype(float)}, _manifest(), "dtype float32"),
        ({"logits": LABELS.logits[0]}, _manifest(), "2 axes"),
        ({"logits": LABELS.logits[1:]}, _manifest(), "belong to other images"),
        ({"logits": LABELS.logits * np.float32(np.nan)}, _manifest(), "finite"),
    ],
)
def test_content_that_makes_no_sense(
    tmp_path: Path, tensors: dict[str, np.ndarray], manifest: dict[str, object], fault: str
) -> None:
    """A whole file that is not what we write is a typed error that says why."""
    save_tensors(tmp_path / "f", tensors, manifest, kind="soft-labels")
    with pytest.raises(DatasetError, match=fault):
        load_soft_labels(tmp_path / "f", DATASET)


def test_a_teacher_that_overflowed_has_no_soft_labels() -> None:
    """NaN logits cannot become soft labels."""
    with pytest.raises(NotFiniteError):
        SoftLabels(np.full((1, 2), np.nan, np.float32), "", "")
