"""Cross-entropy where some labels are missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies.logits import assert_gradient, logit_pairs

from kdq_ref.distill import UNLABELLED, hard_label
from kdq_ref.errors import DTypeError, RangeError, ShapeError
from kdq_ref.losses import cross_entropy

Pair = tuple[np.ndarray, np.ndarray]


@given(logit_pairs(), st.sampled_from([0.0, 0.1]), st.data())
def test_gradient(pair: Pair, smoothing: float, data: st.DataObject) -> None:
    """The gradient is that of the value, and 0 for samples without a label."""
    student, _ = pair
    batch, classes = student.shape
    some = st.lists(st.integers(UNLABELLED, classes - 1), min_size=batch, max_size=batch)
    labels = np.array(data.draw(some))
    assert_gradient(lambda s: hard_label(s, labels, label_smoothing=smoothing), student)
    assert not hard_label(student, labels)[1][labels == UNLABELLED].any()


@given(logit_pairs(), st.data())
def test_mean_over_all_samples(pair: Pair, data: st.DataObject) -> None:
    """Samples without a label count in B: the others keep the weight they had."""
    student, _ = pair
    labels = np.array([data.draw(st.integers(0, student.shape[1] - 1)) for _ in student])
    loss, gradient = cross_entropy(student, labels)
    both = np.concatenate([student, student])
    missing = np.full(len(labels), UNLABELLED)
    half_loss, half_gradient = hard_label(both, np.concatenate([labels, missing]))
    assert_allclose(half_loss, loss / 2)
    assert_allclose(half_gradient[: len(labels)], gradient / 2)


def test_all_or_none() -> None:
    """With every label it is the cross-entropy, with none of them nothing."""
    student = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    labels = np.array([3, 0, 1])
    loss, gradient = hard_label(student, labels)
    expected, expected_gradient = cross_entropy(student, labels)
    assert loss == expected
    assert_array_equal(gradient, expected_gradient)
    loss, gradient = hard_label(student, np.full(3, UNLABELLED))
    assert loss == 0
    assert not gradient.any()


@pytest.mark.parametrize(
    ("labels", "error"),
    [
        (np.array([0, -2]), RangeError),
        (np.array([0, 3]), RangeError),
        (np.array([-1, 3]), RangeError),
        (np.array([0, 1, 2]), ShapeError),
        (np.array([0.0, 1.0]), DTypeError),
    ],
)
def test_bad_labels(labels: np.ndarray, error: type[Exception]) -> None:
    """Other negative numbers, classes that do not exist, wrong shapes and dtypes are refused."""
    with pytest.raises(error):
        hard_label(np.zeros((2, 3)), labels)
