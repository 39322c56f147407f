"""Pooling windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from strategies.integer import pool_problems

from kdq_ref import intref
from kdq_ref.verify.dialects.windows import max_pool, window_counts, window_terms
from kdq_ref.verify.network import Encoding, Network, Node


def _node(**geometry: Any) -> Node:
    return Node("y", "max_pool2d", ("x",), Encoding("int8"), **geometry)


@given(pool_problems())
def test_the_maximum_is_the_specification(problem: tuple[np.ndarray, dict]) -> None:
    """Strides and padding included."""
    x, geometry = problem
    node = _node(**geometry)
    network = Network({"x": Encoding("int8")}, {"x": x.shape[1:]}, (node,), "y")
    np.testing.assert_array_equal(max_pool(network, node, x), intref.max_pool2d(x, **geometry))


def test_counts_leave_padding_out() -> None:
    """A 3x3 window over 3x3 with padding 1: 4 positions in the corners, 9 in the middle."""
    node = _node(kernel=(3, 3), padding=(1, 1, 1, 1))
    counts = window_counts(node, np.zeros((5, 3, 3, 2), np.int8))
    assert counts[0, :, :, 0].tolist() == [[4, 6, 4], [6, 9, 6], [4, 6, 4]]


def test_terms_come_row_by_row() -> None:
    """Of a 2x2 window over 0 1 / 2 3: 0, 1, 2, 3; padding is what is asked for."""
    image = np.arange(4.0, dtype=np.float32).reshape(1, 2, 2, 1)
    terms = [term.item() for term in window_terms(_node(kernel=(2, 2)), image)]
    assert terms == [0, 1, 2, 3]
    padded = _node(kernel=(2, 2), padding=(1, 0, 0, 0))
    assert next(window_terms(padded, image, -7)).ravel().tolist() == [-7, 0]
