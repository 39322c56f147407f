"""TensorFlow Lite Micro's own answers."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import dense_network, installed

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.network import Encoding, Network, Node


def test_a_product_by_hand() -> None:
    """(20 - 10) * 3 + (9 - 10) * 5 = 25, halved is 12.5, away from zero 13; plus 4."""
    network = dense_network(
        [[3], [5]], source=Encoding("int8", 1.0, 10), output=Encoding("int8", 2.0, 4)
    )
    result = installed("tflite-micro").run(network, {"x": np.array([[20, 9]], np.int8)})
    assert result["y"].tolist() == [[17]]


def test_every_node_answers_and_the_arena_is_large_enough() -> None:
    """A batch of a megabyte."""
    encoding = Encoding("int8", 0.5, -3)
    nodes = (
        Node("a", "max_pool2d", ("x",), encoding, kernel=(1, 1)),
        Node("b", "flatten", ("a",), encoding),
    )
    network = Network({"x": encoding}, {"x": (64, 64, 4)}, nodes, "b")
    codes = np.random.default_rng(0).integers(-128, 128, (64, 64, 64, 4)).astype(np.int8)
    values = installed("tflite-micro").run(network, {"x": codes})
    np.testing.assert_array_equal(values["a"], codes)
    np.testing.assert_array_equal(values["b"], codes.reshape(64, -1))


def test_a_refusal_is_an_error_of_ours() -> None:
    """It has no operator RELU_0_TO_1."""
    node = Node("y", "clip", ("x",), Encoding("int8"), clamp=(0.0, 1.0))
    network = Network({"x": Encoding("int8")}, {"x": (1,)}, (node,), "y")
    with pytest.raises(UnsupportedError, match="tflite-micro cannot run the model"):
        installed("tflite-micro").run(network, {"x": np.zeros((1, 1), np.int8)})
