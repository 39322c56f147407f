"""Cross-entropy against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gradients import assert_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies.layers import generators

from kdq_ref.errors import DTypeError, RangeError, ShapeError
from kdq_ref.losses import cross_entropy

shapes = st.tuples(st.integers(1, 4), st.integers(1, 5))
smoothings = st.sampled_from([0.0, 0.1, 1.0])


def by_definition(logits: np.ndarray, target: np.ndarray) -> float:
    """Mean of log-sum-exp minus the expected logit, in exact sums."""
    total = 0.0
    for z, t in zip(logits, target, strict=True):
        top = max(z)
        log_sum = top + math.log(math.fsum(math.exp(value - top) for value in z))
        total += math.fsum(p * (log_sum - value) for p, value in zip(t, z, strict=True))
    return total / len(logits)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Rows of the unit matrix."""
    return np.eye(classes)[labels]


@given(generators, shapes, smoothings, st.sampled_from([1.0, 1e4]))
def test_definition(rng, shape, smoothing, size):
    """Hard and soft labels, smoothed or not, moderate and extreme logits."""
    logits = size * rng.uniform(-1, 1, shape)
    soft = rng.dirichlet(np.ones(shape[1]), shape[0])
    labels = rng.integers(0, shape[1], shape[0])
    for given_labels, p in ((soft, soft), (labels, one_hot(labels, shape[1]))):
        loss, dlogits = cross_entropy(logits, given_labels, label_smoothing=smoothing)
        target = (1 - smoothing) * p + smoothing / shape[1]
        assert_allclose(loss, by_definition(logits, target), rtol=1e-12, atol=1e-12)
        assert_allclose(dlogits.sum(axis=1), 0, atol=1e-12)


@settings(max_examples=25)
@given(generators, shapes, smoothings, st.booleans())
def test_gradient(rng, shape, smoothing, soft):
    """By differences."""
    logits = 3 * rng.standard_normal(shape)
    labels = (
        rng.dirichlet(np.ones(shape[1]), shape[0]) if soft else rng.integers(0, shape[1], shape[0])
    )
    _, dlogits = cross_entropy(logits, labels, label_smoothing=smoothing)
    assert_gradients(
        lambda: cross_entropy(logits, labels, label_smoothing=smoothing)[0],
        {"logits": logits},
        {"logits": dlogits},
    )


@given(generators, shapes, st.sampled_from([np.float32, np.float64]))
def test_one_hot_soft_labels_are_hard_labels(rng, shape, dtype):
    """The same bits, in the dtype of the logits."""
    logits = rng.standard_normal(shape).astype(dtype)
    labels = rng.integers(0, shape[1], shape[0])
    hard, dhard = cross_entropy(logits, labels)
    soft, dsoft = cross_entropy(logits, one_hot(labels, shape[1]))
    assert hard == soft
    assert_array_equal(dhard, dsoft)
    assert dhard.dtype == dsoft.dtype == dtype


def test_known_values():
    """Uniform logits cost log C; a sure and wrong answer costs its margin."""
    assert_allclose(cross_entropy(np.zeros((3, 10)), np.array([0, 5, 9]))[0], math.log(10))
    loss, dlogits = cross_entropy(np.array([[1e4, -1e4]], np.float32), np.array([1]))
    assert loss == 2e4
    assert_array_equal(dlogits, [[1, -1]])
    assert cross_entropy(np.array([[1e4, -1e4]]), np.array([0]))[0] == 0


LOGITS = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(
    ("logits", "labels", "keywords", "error"),
    [
        (LOGITS[:0], np.zeros(0, int), {}, ShapeError),
        (LOGITS[0], np.array([0]), {}, ShapeError),
        (LOGITS, np.array([0]), {}, ShapeError),
        (LOGITS, np.zeros((2, 2)), {}, ShapeError),
        (LOGITS, np.array(0.0), {}, ShapeError),
        (LOGITS.astype(int), np.array([0, 1]), {}, DTypeError),
        (LOGITS, np.array([0.0, 1.0]), {}, DTypeError),
        (LOGITS, np.eye(3, dtype=int)[:2], {}, DTypeError),
        (LOGITS, np.array([0, 3]), {}, RangeError),
        (LOGITS, np.array([-1, 0]), {}, RangeError),
        (LOGITS, np.full((2, 3), 0.5), {}, RangeError),
        (LOGITS, np.array([[-0.5, 1, 0.5]] * 2), {}, RangeError),
        (LOGITS, np.full((2, 3), np.nan), {}, RangeError),
        (LOGITS, np.array([0, 1]), {"label_smoothing": 1.1}, RangeError),
    ],
)
def test_faults(logits, labels, keywords, error):
    """Typed errors for what has no cross-entropy."""
    with pytest.raises(error):
        cross_entropy(logits, labels, **keywords)
