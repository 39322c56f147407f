"""Logits over a dataset: every image once, in order, the same bits for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies.training import tiny_dataset, tiny_network

from kdq_ref.distill import predict_logits
from kdq_ref.errors import ShapeError


@given(st.integers(1, 40), st.integers(1, 50))
def test_threads_change_no_bit(n: int, micro_batch: int) -> None:
    """1, 2 and 3 threads agree, and the parts are the whole."""
    graph, dataset = tiny_network(), tiny_dataset(n)
    one, two, three = (
        predict_logits(graph, dataset, micro_batch=micro_batch, threads=t) for t in (1, 2, 3)
    )
    assert_array_equal(one, two)
    assert_array_equal(one, three)
    assert_allclose(one, graph(dataset.to_input(dataset.images)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_between_can_end_it(threads: int) -> None:
    """What `between` raises comes out, before the last part has been worked on."""
    calls = []

    def model(x: np.ndarray) -> np.ndarray:
        calls.append(len(x))
        return tiny_network()(x)

    def refuse() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_logits(model, tiny_dataset(400), micro_batch=1, threads=threads, between=refuse)
    assert len(calls) < 400


def test_an_overflowing_network_is_quiet() -> None:
    """Infinite weights give NaN logits, not warnings from threads."""
    graph = tiny_network()
    graph.parameters()["dense1.w"][:] = np.inf
    assert np.isnan(predict_logits(graph, tiny_dataset(10), micro_batch=4)).any()


def test_nothing_to_predict() -> None:
    """An empty dataset has no logits."""
    with pytest.raises(ShapeError, match="no image"):
        predict_logits(tiny_network(), tiny_dataset().subset(slice(0)))
