"""Pooling windows: their terms in order, and how many of them are inside."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kdq_ref.geometry import window_output
from kdq_ref.intref.window import window_slices
from kdq_ref.verify.network import Network, Node


def window_terms(node: Node, x: np.ndarray, fill: float = 0) -> Iterator[np.ndarray]:
    """Yield the taps of a pooling window, row by row; padded positions are ``fill``.

    Parameters
    ----------
    node : Node
    x : (B, H, W, C) ndarray
    fill : float

    Yields
    ------
    (B, OH, OW, C) ndarray
    """
    size = window_output((x.shape[1], x.shape[2]), node.kernel, node.stride, node.padding)
    # np.pad takes the fill for any dtype; an integer fill stays one.
    value: int = fill  # type: ignore[assignment]
    for _, tap in window_slices(x, value, node.kernel, node.stride, node.padding, (1, 1), size):
        yield tap


def window_counts(node: Node, x: np.ndarray) -> np.ndarray:
    """How many positions of each window are not padding : (1, OH, OW, 1) int64."""
    inside = np.ones((1, x.shape[1], x.shape[2], 1), np.int64)
    return sum(window_terms(node, inside), np.zeros((1, 1, 1, 1), np.int64))


def max_pool(network: Network, node: Node, x: np.ndarray) -> np.ndarray:
    """Largest code of each window; padded positions never win.

    Parameters
    ----------
    network : Network
    node : Node
    x : (B, H, W, C) ndarray

    Returns
    -------
    (B, OH, OW, C) ndarray of x's dtype
    """
    lowest = network.encodings[node.inputs[0]].limits[0]
    terms = window_terms(node, x, lowest)
    largest = next(terms).copy()
    for term in terms:
        np.maximum(largest, term, out=largest)
    return largest
