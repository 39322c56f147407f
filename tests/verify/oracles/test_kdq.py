"""Our own engine's answers."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import dense_network, installed

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.network import Encoding, Network, Node


def test_every_node_answers() -> None:
    """Values in between come along, each from its C kernel."""
    encoding = Encoding("int8", 0.5, -3)
    nodes = (
        Node("a", "max_pool2d", ("x",), encoding, kernel=(2, 2)),
        Node("b", "flatten", ("a",), encoding),
    )
    network = Network({"x": encoding}, {"x": (3, 3, 2)}, nodes, "b")
    codes = np.random.default_rng(0).integers(-128, 128, (2, 3, 3, 2)).astype(np.int8)
    values = installed("kdq").run(network, {"x": codes})
    np.testing.assert_array_equal(values["b"], values["a"].reshape(2, 8))


def test_a_product_by_hand() -> None:
    """(20 - 3) * 2 = 34, a quarter of it is 8.5, which is rounded up."""
    network = dense_network([[2]], scale=0.25, source=Encoding("int8", 1.0, 3))
    result = installed("kdq").run(network, {"x": np.array([[20]], np.int8)})
    assert result["y"].tolist() == [[9]]


def test_what_it_does_not_have() -> None:
    """Products of two tensors."""
    node = Node("y", "mul", ("x", "x"), Encoding("int8"))
    network = Network({"x": Encoding("int8")}, {"x": (2,)}, (node,), "y")
    with pytest.raises(UnsupportedError, match="no integer operator mul"):
        installed("kdq").run(network, {"x": np.zeros((1, 2), np.int8)})
