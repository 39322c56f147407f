"""Operators that only move codes."""

from __future__ import annotations

import numpy as np

from kdq_ref.verify.dialects import moves
from kdq_ref.verify.network import Encoding, Network, Node

_ENCODING = Encoding("uint8", 0.5, 10)


def _run(name: str, codes: np.ndarray, **fields: object) -> np.ndarray:
    node = Node("y", name, ("x",), _ENCODING, **fields)  # type: ignore[arg-type]
    network = Network({"x": _ENCODING}, {"x": codes.shape[1:]}, (node,), "y")
    operator = {"dequantize": moves.dequantize, "flatten": moves.flatten}.get(name, moves.max_pool)
    return operator(network, node, (codes,))


def test_the_maximum_is_clamped() -> None:
    """Of 0 to 40 in a 2x2 window, with ReLU6: codes 10 to 22."""
    codes = np.array([0, 5, 8, 9, 30, 12, 14, 40], np.uint8).reshape(2, 2, 2, 1)
    largest = _run("max_pool2d", codes, kernel=(2, 2), clamp=(0.0, 6.0))
    assert largest.ravel().tolist() == [10, 22]


def test_flatten_has_the_channels_fastest() -> None:
    """Row by row, as images lie in memory here."""
    codes = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    assert _run("flatten", codes).tolist() == [list(range(12))]


def test_dequantize() -> None:
    """Half of the distance to 10."""
    assert _run("dequantize", np.array([[10, 13, 0]], np.uint8)).tolist() == [[0.0, 1.5, -5.0]]
