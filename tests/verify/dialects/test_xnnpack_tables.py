"""Chains that XNNPACK makes a table of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from strategies.dialects import installed

from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.dialects.xnnpack_tables import chain_root, is_square
from kdq_ref.verify.network import Encoding, Network, Node, Weight

_START, _NEXT = Encoding("int8", 1 / 8, 5), Encoding("int8", 1 / 4, 7)
_REAL = Encoding("float32")
_WINDOW = {"kernel": (2, 2), "stride": (2, 2)}
_EYE = Weight(np.eye(8, dtype=np.int8)[None, None], np.ones(1, np.float32))


def _behind(*nodes: Node) -> Network:
    """The last node's value (or the input) times itself: many halves."""
    source = nodes[-1].name if nodes else "x"
    scale = (nodes[-1].output if nodes else _START).scale
    node = Node("y", "mul", (source, source), Encoding("int8", scale * scale * 32, -21))
    inputs = {"x": _START, "z": _START}
    return Network(inputs, dict.fromkeys(inputs, (4, 4, 8)), (*nodes, node), "y")


def _node(operator: str, *inputs: str, output: Encoding = _NEXT, **fields: Any) -> Node:
    return Node("q", operator, inputs or ("x",), output, **fields)


_P = Node("p", "quantize", ("x",), _NEXT)
CASES = {
    "nothing": ((), True),
    "quantize": ((_node("quantize"),), False),
    "a square": ((_node("mul", "x", "x"),), True),
    "a product": ((_node("mul", "x", "z"),), True),
    "a sum": ((_node("add", "x", "z"),), True),
    "a clamped sum": ((_node("add", "x", "z", clamp=(0.0, 6.0)),), False),
    "a clamped product": ((_node("mul", "x", "z", clamp=(0.0, 6.0)),), False),
    "a sum of a chain": ((_P, _node("add", "p", "p")), False),
    "a product with the root": ((_P, _node("mul", "x", "p")), False),
    "a product with another": ((_P, _node("mul", "z", "p")), True),
    "sigmoid": ((_node("sigmoid", output=Encoding("int8", 1 / 256, -128)),), False),
    "a maximum": ((_node("max_pool2d", output=_START, **_WINDOW),), True),
    "a maximum of one": ((_node("max_pool2d", output=_START),), False),
    "an average and a change": ((_node("avg_pool2d", **_WINDOW),), False),
    "a concatenation": ((_node("concat", "x", "z"),), True),
    "a clamped convolution": ((_node("conv2d", weight=_EYE, clamp=(0.0, 6.0)),), True),
    "there and back": (
        (Node("p", "dequantize", ("x",), _REAL), _node("quantize", "p")),
        False,
    ),
    "what LiteRT runs itself": ((_P, _node("relu6", "p")), True),
}


@pytest.mark.parametrize("case", CASES)
def test_a_product_in_a_chain_stays_one(case: str) -> None:
    """And outside it becomes a square; where XNNPACK is installed, it says so itself."""
    nodes, square = CASES[case]
    network = _behind(*nodes)
    assert is_square(network, network.nodes[-1]) == square
    oracle = installed("litert")
    rng = np.random.default_rng(0)
    x = {name: rng.integers(-128, 128, (20, 4, 4, 8)).astype(np.int8) for name in network.inputs}
    np.testing.assert_array_equal(
        get_dialect("litert").run(network, x)["y"], oracle.run(network, x)["y"]
    )


def test_a_chain_has_no_side_ways() -> None:
    """A value that another node reads, or that is the output, ends it; its root may be read."""
    other = Node("o", "add", ("p", "x"), _NEXT)
    for nodes, output, root in (
        ((_P, _node("tanh", "p")), "y", "x"),
        ((_P, other, _node("tanh", "p")), "y", "p"),
        ((_P, _node("tanh", "p")), "q", None),
    ):
        product = Node("y", "mul", ("q", "q"), _NEXT)
        network = Network({"x": _START}, {"x": (3,)}, (*nodes, product), output)
        assert chain_root(network, "q") == root
        assert chain_root(network, "x") is None


def test_only_a_value_times_itself_is_a_square() -> None:
    """Not a product of two equal values with two names."""
    node = Node("y", "mul", ("a", "b"), _NEXT)
    network = Network({"a": _START, "b": _START}, {"a": (3,), "b": (3,)}, (node,), "y")
    assert not is_square(network, node)
