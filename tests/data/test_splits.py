"""Splits: fixed for ever, and a balanced choice of few labels."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.data import Dataset, few_labels, split_order
from kdq_ref.errors import RangeError

LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=60)
SEEDS = st.integers(0, 2**64)


def _dataset(labels: list[int]) -> Dataset:
    images = np.zeros((len(labels), 1, 1, 1), np.uint8)
    return Dataset("toy", images, np.array(labels), ("a", "b", "c", "d"), 255)


@given(st.integers(0, 300))
def test_split_order_is_a_permutation(n: int) -> None:
    """Every index occurs once, in the same order at every call."""
    order = split_order(n)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    np.testing.assert_array_equal(order, split_order(n))


@pytest.mark.parametrize(
    ("n", "digest"), [(1797, "3547475e2ad5a01b"), (60_000, "4d881b329919219b")]
)
def test_split_order_never_changes(n: int, digest: str) -> None:
    """The orders of the digits and of Fashion-MNIST, which every published figure rests on."""
    assert hashlib.sha256(split_order(n).astype("<i8").tobytes()).hexdigest()[:16] == digest


@given(LABELS, SEEDS, st.data())
def test_few_labels_partition_the_dataset_evenly(
    labels: list[int], seed: int, data: st.DataObject
) -> None:
    """n labelled, the rest unlabelled, no class more than one ahead; else a typed error."""
    n = data.draw(st.integers(1, len(labels)))
    available = np.bincount(labels, minlength=4)
    try:
        labelled, unlabelled = few_labels(_dataset(labels), n, seed)
    except RangeError:
        assert available.min() <= n // 4
        return
    assert len(labelled) == n
    np.testing.assert_array_equal(
        np.sort(np.concatenate([labelled, unlabelled])), np.arange(len(labels))
    )
    assert (np.diff(labelled) > 0).all()
    assert (np.diff(unlabelled) > 0).all()
    counts = np.bincount(np.array(labels)[labelled], minlength=4)
    assert counts.max() - counts.min() <= 1


@given(SEEDS, st.integers(1, 80), st.integers(1, 80))
def test_fewer_labels_are_a_subset(seed: int, a: int, b: int) -> None:
    """With one seed, the smaller choice is contained in the larger one."""
    dataset = _dataset([0, 1, 2, 3] * 20)
    small, large = (set(few_labels(dataset, n, seed)[0]) for n in sorted((a, b)))
    assert small <= large


def test_seeds_choose_differently() -> None:
    """Two seeds give two choices; one seed gives one."""
    dataset = _dataset([0, 1, 2, 3] * 50)
    first, again, other = (few_labels(dataset, 40, seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_class_may_get_the_remainder() -> None:
    """A single label falls on each of the four classes for some seed."""
    dataset = _dataset([0, 1, 2, 3] * 5)
    chosen = {int(dataset.labels[few_labels(dataset, 1, seed)[0]][0]) for seed in range(50)}
    assert chosen == {0, 1, 2, 3}


@pytest.mark.parametrize("n", [0, 5])
def test_few_labels_outside_the_dataset(n: int) -> None:
    """No label, or more labels than images, cannot be chosen."""
    with pytest.raises(RangeError):
        few_labels(_dataset([0, 1, 2, 3]), n, 0)
