"""Who learns from which image: train, validation and test parts, and the few-label setting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdq_ref.checks import check_int
from kdq_ref.data.dataset import Dataset
from kdq_ref.errors import RangeError

# Streams of random numbers are told apart by a word, so that no two purposes ever share one.
_SPLIT = int.from_bytes(b"split", "big")
_FEW_LABELS = int.from_bytes(b"few labels", "big")


@dataclass(frozen=True, eq=False)
class Splits:
    """The three disjoint parts of a dataset.

    Attributes
    ----------
    train : Dataset
        What parameters are fitted to.
    validation : Dataset
        What settings are chosen on. May be empty.
    test : Dataset
        What is reported, looked at once.
    """

    train: Dataset
    validation: Dataset
    test: Dataset


def split_order(n: int) -> np.ndarray:
    """Return the fixed permutation of ``range(n)`` that every split in this package slices.

    It depends on ``n`` alone: no seed of an experiment reaches it, so that two runs never disagree
    about which image is a test image.

    Returns
    -------
    (n,) int64 ndarray
    """
    check_int("n", n, 0)
    return np.random.default_rng([_SPLIT, n]).permutation(n)


def few_labels(dataset: Dataset, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose ``n`` images that keep their labels, evenly over the classes.

    Parameters
    ----------
    dataset : Dataset
    n : int
        Each class gets ``n // classes`` labels; which classes share the remainder is drawn.
    seed : int
        Non-negative. With one seed, a smaller choice is a subset of a larger one.

    Returns
    -------
    labelled : (n,) int64 ndarray
        Sorted indices into the dataset.
    unlabelled : (len(dataset) - n,) int64 ndarray
        All other indices, sorted: the transfer set of distillation.

    Raises
    ------
    RangeError
        If a class has fewer images than its share.
    """
    classes = len(dataset.classes)
    check_int("n", n, 1, len(dataset))
    check_int("seed", seed, 0)
    rng = np.random.default_rng([seed, _FEW_LABELS])
    share = np.full(classes, n // classes)
    share[rng.permutation(classes)[: n % classes]] += 1
    chosen = np.zeros(len(dataset), dtype=bool)
    for label, name in enumerate(dataset.classes):
        members = rng.permutation(np.flatnonzero(dataset.labels == label))
        if len(members) < share[label]:
            raise RangeError(
                f"{n} labels over {classes} classes take {share[label]} of class {name!r}, "
                f"which has {len(members)} images; ask for fewer"
            )
        chosen[members[: share[label]]] = True
    return np.flatnonzero(chosen), np.flatnonzero(~chosen)
