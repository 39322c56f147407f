"""Exact accumulators."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from strategies.dialects import dense_network
from strategies.integer import conv2d_problems, depthwise_problems

from kdq_ref import intref
from kdq_ref.errors import GraphError
from kdq_ref.rounding import Requant, single_rounding
from kdq_ref.verify.accumulators import accumulate, biased, exact_product, weight_of
from kdq_ref.verify.network import Encoding, Network, Node, Weight


def _accumulated(operator: str, x: np.ndarray, keywords: dict) -> np.ndarray:
    """What accumulate makes of the operands of intref, requantized as they say."""
    node = Node(
        "y",
        operator,
        ("x",),
        Encoding("int8"),
        weight=Weight(keywords["weight"], np.ones(1, np.float32)),
        bias=keywords["bias"],
        **{
            key: keywords[key]
            for key in ("stride", "padding", "dilation", "groups")
            if key in keywords
        },
    )
    source = Encoding("int8", 1.0, keywords["x_zero_point"])
    network = Network({"x": source}, {"x": x.shape[1:]}, (node,), "y")
    return keywords["requant"].apply(biased(node, accumulate(network, node, x)))


@given(conv2d_problems())
def test_convolutions_sum_as_the_specification(problem: tuple[np.ndarray, dict]) -> None:
    """Strides, dilation, padding and groups: requantized, the sums are intref's outputs."""
    x, keywords = problem
    np.testing.assert_array_equal(_accumulated("conv2d", x, keywords), intref.conv2d(x, **keywords))


@given(depthwise_problems())
def test_depthwise_sums_as_the_specification(problem: tuple[np.ndarray, dict]) -> None:
    """Several filters per channel included."""
    x, keywords = problem
    np.testing.assert_array_equal(
        _accumulated("depthwise_conv2d", x, keywords), intref.depthwise_conv2d(x, **keywords)
    )


def test_the_largest_sums_are_exact() -> None:
    """(255 * 127) * 131,071 is beyond float32 and inside float64."""
    k = 131_071
    x, w = np.full((1, 1, k), -128, np.int8), np.full((1, k, 1), -127, np.int8)
    assert exact_product(x, w, 127)[0, 0, 0] == 255 * 127 * k


def test_a_dense_layer() -> None:
    """Two rows by hand: (1 - 3) * 2 + (4 - 3) * -5 = -9."""
    network = dense_network(
        [[2], [-5]], source=Encoding("int8", 1.0, 3), bias=np.array([7], np.int32)
    )
    node = network.nodes[0]
    acc = accumulate(network, node, np.array([[1, 4], [3, 3]], np.int8))
    assert acc.tolist() == [[-9], [0]]
    assert biased(node, acc).tolist() == [[-2], [7]]
    requant = Requant(single_rounding, single_rounding.constants(1, 1, 1), 0)
    assert requant.apply(acc).tolist() == [[-9], [0]]


def test_a_missing_weight() -> None:
    """It is the network's fault, and named."""
    with pytest.raises(GraphError, match="node 'y' \\(dense\\) has no weight"):
        weight_of(Node("y", "dense", ("x",), Encoding("int8")))
