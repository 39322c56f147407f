"""A teacher's logits over a dataset, computed once and kept in a file."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from kdq_ref.checks import check_array, check_finite
from kdq_ref.data import Dataset
from kdq_ref.distill.digest import digest_of, images_digest
from kdq_ref.distill.predict import predict_logits
from kdq_ref.errors import DatasetError, InvalidArgumentError, KdqError
from kdq_ref.files import load_tensors, save_tensors
from kdq_ref.nn import Graph

KIND = "soft-labels"
FORMAT = 1


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """Logits, and what they belong to.

    Attributes
    ----------
    logits : (N, C) float32 ndarray
        Finite. Row n is the teacher's opinion of image n.
    images_digest : str
        Of the dataset (:func:`~kdq_ref.distill.images_digest`).
    teacher_digest : str
        Of the teacher (:func:`~kdq_ref.distill.digest_of`).
    """

    logits: np.ndarray
    images_digest: str
    teacher_digest: str

    def __post_init__(self) -> None:
        check_finite("logits", check_array("logits", self.logits, dtype=np.float32, ndim=2))

    def check_dataset(self, dataset: Dataset) -> None:
        """Raise InvalidArgumentError unless these are labels of exactly these images."""
        if len(self.logits) != len(dataset) or self.images_digest != images_digest(dataset):
            raise InvalidArgumentError(
                f"these {len(self.logits)} soft labels belong to other images than the "
                f"{len(dataset)} of {dataset.name!r}; generate them again"
            )


def generate_soft_labels(
    teacher: Graph, dataset: Dataset, *, micro_batch: int = 64, threads: int = 2
) -> SoftLabels:
    """Let the teacher look at every image once.

    Parameters
    ----------
    teacher : Graph
        Used in inference mode.
    dataset : Dataset
    micro_batch, threads : int
        As in :func:`~kdq_ref.distill.predict_logits`.
    """
    logits = predict_logits(teacher, dataset, micro_batch=micro_batch, threads=threads)
    return SoftLabels(logits, images_digest(dataset), digest_of(teacher))


def save_soft_labels(path: str | os.PathLike[str], labels: SoftLabels) -> None:
    """Write soft labels; atomically, and the same bytes for the same labels."""
    manifest = {
        "images_digest": labels.images_digest,
        "teacher_digest": labels.teacher_digest,
    }
    save_tensors(path, {"logits": labels.logits}, manifest, kind=KIND, format=FORMAT)


def load_soft_labels(
    path: str | os.PathLike[str], dataset: Dataset, teacher: Graph | None = None
) -> SoftLabels:
    """Read soft labels of a dataset.

    Parameters
    ----------
    path : path-like
    dataset : Dataset
        Its images must be those that the teacher saw, in that order.
    teacher : Graph, optional
        Must be the teacher that spoke; by default any teacher will do.

    Raises
    ------
    DatasetError
        A damaged file, other images, another teacher.
    """
    tensors, manifest = load_tensors(path, kind=KIND, error=DatasetError, format=FORMAT)
    texts = [manifest.get("images_digest"), manifest.get("teacher_digest")]
    digests = [text for text in texts if isinstance(text, str)]
    if len(digests) < 2 or len(manifest) != 2 or tensors.keys() != {"logits"}:
        raise DatasetError(path, "does not hold what a file of soft labels holds")
    try:
        labels = SoftLabels(tensors["logits"], *digests)
        labels.check_dataset(dataset)
    except KdqError as fault:
        raise DatasetError(path, str(fault)) from fault
    if teacher is not None and labels.teacher_digest != digest_of(teacher):
        raise DatasetError(path, "comes from another teacher; generate the soft labels again")
    return labels
