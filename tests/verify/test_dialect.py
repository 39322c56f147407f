"""A dialect runs a network operator by operator."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialect import Dialect
from kdq_ref.verify.network import Encoding, Network, Node

_ENCODING = Encoding("int8")
_NETWORK = Network(
    {"x": _ENCODING},
    {"x": (2,)},
    (Node("a", "relu", ("x",), _ENCODING), Node("b", "add", ("a", "x"), _ENCODING)),
    "b",
)


def _dialect(**notes: str) -> Dialect:
    def relu(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.maximum(inputs[0], 0)

    def add(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        return inputs[0] + inputs[1]

    operators = {"relu": relu} if notes else {"relu": relu, "add": add}
    return Dialect("toy", "", "int8", "", operators, notes)


def test_every_value_is_returned() -> None:
    """Each node gets the values that it names, in that order."""
    values = _dialect().run(_NETWORK, {"x": np.array([[-3, 4]], np.int8)})
    assert {name: value.tolist() for name, value in values.items()} == {
        "x": [[-3, 4]],
        "a": [[0, 4]],
        "b": [[-3, 8]],
    }


def test_what_is_not_reproduced_says_why() -> None:
    """The note of an operator is the reason."""
    dialect = _dialect(add="its order of operations is not known")
    with pytest.raises(UnsupportedError, match="does not describe add: its order"):
        dialect.run(_NETWORK, {"x": np.zeros((1, 2), np.int8)})
