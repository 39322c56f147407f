"""What kdq itself computes from scales."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from strategies.dialects import dense_network

from kdq_ref.errors import InvalidArgumentError, UnsupportedError
from kdq_ref.rounding import RULES
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.dialects.kdq import under
from kdq_ref.verify.network import Encoding, Network, Node


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("single_rounding", [-2, -1, 0, 1, 2, 3]),
        ("double_rounding", [-3, -2, -1, 1, 2, 3]),
        ("float32_rne", [-2, -2, 0, 0, 2, 2]),
    ],
)
def test_ties_go_where_the_rule_takes_them(rule: str, expected: list[int]) -> None:
    """Five halves, three halves, one half, on both sides of zero."""
    network = dense_network(np.ones((1, 1)), scale=0.25)
    x = np.array([[-10], [-6], [-2], [2], [6], [10]], np.int8)
    assert under(rule).run(network, {"x": x})["y"][:, 0].tolist() == expected


def test_a_real_bias_is_formed_from_the_integers() -> None:
    """Under fbgemm, 3 + 7 steps of the accumulator, halved."""
    network = dense_network(np.ones((1, 1)), scale=0.5, bias=np.array([7], np.int32))
    assert under("fbgemm").run(network, {"x": np.array([[3]], np.int8)})["y"].item() == 5


def test_names() -> None:
    """The default rule's is kdq itself; the others are called like their rules."""
    assert get_dialect("kdq").name == under("single_rounding").name == "kdq"
    assert [under(rule).name for rule in RULES][1:] == list(RULES)[1:]
    with pytest.raises(InvalidArgumentError, match="unknown rounding rule"):
        under("banker")


def test_a_clip_to_other_scales_is_refused() -> None:
    """Networks of kdq clamp codes only."""
    node = Node("y", "clip", ("x",), Encoding("int8", 0.5), clamp=(-1.0, 1.0))
    network = Network({"x": Encoding("int8")}, {"x": (1,)}, (node,), "y")
    with pytest.raises(UnsupportedError, match="clip"):
        get_dialect("kdq").run(network, {"x": np.zeros((1, 1), np.int8)})


def test_single_operators_are_those_of_the_specification() -> None:
    """quantize, dequantize, clip: by hand."""
    half = Encoding("int8", 0.5, 3)
    nodes = (
        Node("q", "quantize", ("x",), half),
        Node("c", "clip", ("q",), half, clamp=(-1.0, 1.0)),
        Node("d", "dequantize", ("c",), Encoding("float32")),
    )
    network = Network({"x": Encoding("float32")}, {"x": (3,)}, nodes, "d")
    values = get_dialect("kdq").run(network, {"x": np.array([[0.25, 2.0, -0.6]], np.float32)})
    assert_array_equal(values["q"], [[3, 7, 2]])
    assert_array_equal(values["c"], [[3, 5, 2]])
    assert_array_equal(values["d"], np.array([[0, 1, -0.5]], np.float32))
