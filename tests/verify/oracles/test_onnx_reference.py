"""The reference evaluator's own answers."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import dense_network, installed

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.network import Encoding, Network, Node


def test_a_product_by_hand() -> None:
    """(200 - 100) * 3 + (90 - 100) * 5 + 10 = 260, halved is 130; plus the zero point 7."""
    network = dense_network(
        [[3], [5]],
        source=Encoding("uint8", 1.0, 100),
        output=Encoding("uint8", 2.0, 7),
        bias=np.array([10], np.int32),
    )
    result = installed("onnx-reference").run(network, {"x": np.array([[200, 90]], np.uint8)})
    assert result["y"].tolist() == [[137]]


def test_a_failure_is_quoted() -> None:
    """Images of different sizes cannot be joined; the message is the evaluator's."""
    encoding = Encoding("uint8")
    node = Node("y", "add", ("a", "b"), encoding)
    network = Network({"a": encoding, "b": encoding}, {"a": (2,), "b": (3,)}, (node,), "y")
    values = {"a": np.zeros((1, 2), np.uint8), "b": np.zeros((1, 3), np.uint8)}
    with pytest.raises(UnsupportedError, match="onnx-reference fails: "):
        installed("onnx-reference").run(network, values)
