"""The pair behind a wrong code: which two products did not fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdq_ref.verify.accumulators import accumulate
from kdq_ref.verify.network import Network, Node, value_shapes
from kdq_ref.verify.proofs.pair_sums import INT16_MAX, INT16_MIN


@dataclass(frozen=True)
class PairSum:
    """A pair of products that saturates.

    Attributes
    ----------
    element : tuple of int
        Of the layer's output, the batch first.
    number : int
        Of the pair, along the sum of the element's group.
    codes, weights : (int, int)
    total : int
        ``x_0 w_0 + x_1 w_1``.
    held : int
        What int16 makes of it.
    """

    element: tuple[int, ...]
    number: int
    codes: tuple[int, int]
    weights: tuple[int, int]
    total: int
    held: int

    def __str__(self) -> str:
        (a, b), (v, w) = self.codes, self.weights
        return f"pair {self.number}: {a} * {v} + {b} * {w} = {self.total:,}, held as {self.held:,}"


def first_saturated(
    layer: Network, node: Node, codes: np.ndarray, element: tuple[int, ...]
) -> PairSum | None:
    """Return the first pair of an output element that leaves int16, if one does.

    Parameters
    ----------
    layer : Network
        One dense layer or convolution, stored in uint8.
    node : Node
    codes : (B, ...) uint8 ndarray
    element : tuple of int
        Index into the layer's output.
    """
    operands = operands_of(layer, node, codes, element)
    products = np.prod(operands, axis=1)
    even = np.pad(products, (0, len(products) % 2)).reshape(-1, 2).sum(axis=1)
    beyond = np.flatnonzero((even < INT16_MIN) | (even > INT16_MAX))
    if not len(beyond):
        return None
    p = int(beyond[0])
    (x0, w0), (x1, w1) = operands[2 * p : 2 * p + 2].tolist()
    total = int(even[p])
    held = min(max(total, INT16_MIN), INT16_MAX)
    return PairSum(element, p, (x0, x1), (w0, w1), total, held)


def operands_of(
    layer: Network, node: Node, codes: np.ndarray, element: tuple[int, ...]
) -> np.ndarray:
    """Codes and weights behind one output element, in the order of the sum : (K, 2) int64."""
    found: list[np.ndarray] = []
    width = value_shapes(layer)[node.name][-2:][0]
    single = codes[element[0]][None]

    def product(columns: np.ndarray, weights: np.ndarray, zero_point: int) -> np.ndarray:
        groups, rows, _ = columns.shape
        g, n = divmod(element[-1], weights.shape[2])
        # Rows are output positions, row by row; a dense layer has one.
        position = 0
        if len(element) == 4:
            position = element[1] * width + element[2]
        found.append(np.stack([columns[g, position], weights[g, :, n]], axis=1, dtype=np.int64))
        return np.zeros((groups, rows, weights.shape[2]), np.int64)

    accumulate(layer, node, single, product)
    return found[0]
