"""Directories of four idx files, as MNIST and its many drop-in replacements come."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from kdq_ref.checks import check_int
from kdq_ref.data.dataset import Dataset
from kdq_ref.data.digits import DIGIT_CLASSES
from kdq_ref.data.idx import read_idx
from kdq_ref.data.splits import Splits, split_order
from kdq_ref.errors import DatasetError

_PIXEL_SCALE = 255
_LARGEST_VALIDATION = 5000


def load_idx_directory(
    path: str | os.PathLike[str],
    *,
    validation: int | None = None,
    classes: tuple[str, ...] = DIGIT_CLASSES,
    name: str | None = None,
) -> Splits:
    """Load an MNIST-like directory.

    Parameters
    ----------
    path : path-like
        Holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte``
        and ``t10k-labels-idx1-ubyte``, each plain or with ``.gz``; ``train-images.idx3-ubyte`` and
        so on are accepted too. Of several forms the first in this order is read.
    validation : int, optional
        How many training images to hold out: the last ones of ``split_order(n)``, always the same.
        Default: a tenth of them, at most 5,000.
    classes : tuple of str
        Class names; a label beyond them is an error. Default: ten digits.
    name : str, optional
        Default: the directory's name.

    Returns
    -------
    Splits
        The ``train`` and ``t10k`` files; train and validation images in the order of
        ``split_order``.

    Raises
    ------
    DatasetError
        Naming the file and the fault: missing, damaged, counts or sizes that do not match, label
        out of range.
    RangeError
        If ``validation`` leaves no image to train on.
    """
    directory = Path(path)
    title = Path(os.path.realpath(directory)).name if name is None else name
    learn = _read_part(directory, "train", title, classes)
    test = _read_part(directory, "t10k", title, classes)
    if learn.input_shape != test.input_shape:
        raise DatasetError(
            directory,
            f"train images are {learn.input_shape[:2]}, t10k images {test.input_shape[:2]}",
        )
    held_out = min(len(learn) // 10, _LARGEST_VALIDATION) if validation is None else validation
    check_int("validation", held_out, 0, len(learn) - 1)
    order = split_order(len(learn))
    kept = len(learn) - held_out
    return Splits(learn.subset(order[:kept]), learn.subset(order[kept:]), test)


def _read_part(directory: Path, part: str, name: str, classes: tuple[str, ...]) -> Dataset:
    images_path = _find(directory, f"{part}-images", 3)
    labels_path = _find(directory, f"{part}-labels", 1)
    labels = read_idx(labels_path, dtype=np.uint8, ndim=1)
    wrong = np.flatnonzero(labels >= len(classes))
    if wrong.size:
        raise DatasetError(
            labels_path,
            f"label {wrong[0]} is {labels[wrong[0]]}, but there are {len(classes)} classes "
            f"(0 to {len(classes) - 1})",
        )
    images = read_idx(images_path, dtype=np.uint8, ndim=3)
    if len(images) != len(labels):
        raise DatasetError(
            images_path, f"holds {len(images)} images, {labels_path.name} {len(labels)} labels"
        )
    return Dataset(name, images[..., np.newaxis], labels, classes, _PIXEL_SCALE)


def _find(directory: Path, stem: str, axes: int) -> Path:
    tried = [f"{stem}{dot}idx{axes}-ubyte{gz}" for dot in "-." for gz in ("", ".gz")]
    for candidate in tried:
        if os.path.exists(directory / candidate):
            return directory / candidate
    raise DatasetError(directory, f"holds none of {', '.join(tried)}")
