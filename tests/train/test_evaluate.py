"""Accuracy and loss of known answers."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.training import tiny_dataset, tiny_network

from kdq_ref.losses import cross_entropy
from kdq_ref.train import evaluate, predict_logits


def test_equals_its_definition() -> None:
    """Accuracy is the share of right arguments of the maximum, loss the mean cross-entropy."""
    graph, dataset = tiny_network(), tiny_dataset(50)
    logits = predict_logits(graph, dataset, micro_batch=7).astype(np.float64)
    for threads in (1, 2, 3):
        measured = evaluate(graph, dataset, micro_batch=7, threads=threads)
        assert measured.accuracy == np.mean(logits.argmax(1) == dataset.labels)
        assert measured.loss == cross_entropy(logits, dataset.labels)[0]


def test_ties_go_to_the_first_class() -> None:
    """Equal logits answer class 0, as the integer network does."""
    dataset = tiny_dataset(30)
    measured = evaluate(lambda x: np.zeros((len(x), 3), np.float32), dataset)
    assert measured.accuracy == np.mean(dataset.labels == 0)
    assert measured.loss == pytest.approx(np.log(3))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite(value: float) -> None:
    """NaN is never right and its loss says so, without warnings."""
    dataset = tiny_dataset(9)
    measured = evaluate(lambda x: np.full((len(x), 3), value, np.float32), dataset)
    assert np.isnan(measured.loss)
    if np.isnan(value):
        assert measured.accuracy == 0
