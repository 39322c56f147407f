"""LiteRT's own answers."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import dense_network, installed

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.network import Encoding, Network, Node
from kdq_ref.verify.oracles.litert import ORACLES


@pytest.mark.parametrize("name", ORACLES)
def test_a_product_by_hand(name: str) -> None:
    """(20 - 10) * 3 + (9 - 10) * 5 = 25, halved is 12.5, plus 4; the three round as they do."""
    network = dense_network(
        [[3], [5]], source=Encoding("int8", 1.0, 10), output=Encoding("int8", 2.0, 4)
    )
    result = installed(name).run(network, {"x": np.array([[20, 9]], np.int8)})
    # Half to even in XNNPACK, half up in ruy, half away from zero in the reference.
    assert result["y"].tolist() == [[{"litert": 16}.get(name, 17)]]


def test_only_xnnpack_keeps_its_nodes_to_itself() -> None:
    """The delegate answers with the output, the interpreter with every node."""
    encoding = Encoding("int8", 0.5, -3)
    nodes = (
        Node("a", "max_pool2d", ("x",), encoding, kernel=(2, 2)),
        Node("b", "flatten", ("a",), encoding),
    )
    network = Network({"x": encoding}, {"x": (3, 3, 2)}, nodes, "b")
    codes = np.random.default_rng(0).integers(-128, 128, (2, 3, 3, 2)).astype(np.int8)
    answers = {name: installed(name).run(network, {"x": codes}) for name in ORACLES}
    assert {name: sorted(values) for name, values in answers.items()} == {
        "litert": ["b"],
        "litert-builtin": ["a", "b"],
        "litert-reference": ["a", "b"],
    }
    for values in answers.values():
        np.testing.assert_array_equal(values["b"], answers["litert-reference"]["b"])


def test_inputs_go_by_their_names() -> None:
    """A product is the same both ways round; a concatenation is not."""
    encoding = Encoding("int8", 1.0, 0)
    node = Node("y", "concat", ("b", "a"), encoding)
    network = Network({"a": encoding, "b": encoding}, {"a": (2,), "b": (1,)}, (node,), "y")
    values = {"b": np.array([[9]], np.int8), "a": np.array([[1, 2]], np.int8)}
    assert installed("litert").run(network, values)["y"].tolist() == [[9, 1, 2]]


@pytest.mark.parametrize(
    ("name", "message"),
    [("litert", "failed to prepare"), ("litert-builtin", r"scale == 1\. / 256 was not true")],
)
def test_a_refusal_is_quoted(name: str, message: str) -> None:
    """XNNPACK refuses multipliers from 256 on; LiteRT's sigmoid any scale but 1/256."""
    oracle = installed(name)
    if name == "litert":
        network = dense_network([[1]], scale=1.0, output=Encoding("int8", 1 / 256, 0))
    else:
        node = Node("y", "sigmoid", ("x",), Encoding("int8", 0.5, 0))
        network = Network({"x": Encoding("int8")}, {"x": (1,)}, (node,), "y")
    with pytest.raises(UnsupportedError, match=message):
        oracle.run(network, {"x": np.zeros((1, 1), np.int8)})
