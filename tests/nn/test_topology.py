"""What is a network and what is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref import nn
from kdq_ref.errors import GraphError
from kdq_ref.nn.topology import as_input_shape, infer_shapes, sort_nodes

RNG = np.random.default_rng(0)


def relu(name: str, *inputs: str) -> nn.Node:
    """A node that reads one value, or that claims to read several."""
    return nn.Node(name, nn.ReLU(), inputs)


def add(name: str, *inputs: str) -> nn.Node:
    """A node that reads two values."""
    return nn.Node(name, nn.Add(), inputs)


SHARED = nn.ReLU()


@pytest.mark.parametrize(
    ("nodes", "output", "message"),
    [
        ([relu("a", "b")], "a", "node 'a' reads 'b', which does not exist"),
        ([relu("a", "b"), relu("b", "a")], "a", "nodes 'a', 'b' form a cycle"),
        ([relu("a", "a")], "a", "nodes 'a' form a cycle"),
        ([relu("a", "input"), relu("a", "input")], "a", "2 nodes are called 'a'"),
        ([relu("input", "input")], "input", "node name 'input'"),
        ([relu("a.b", "input")], "a.b", "node name 'a.b'"),
        ([relu("1a", "input")], "1a", "node name '1a'"),
        ([relu("", "input")], "", "node name ''"),
        ([add("a", "input")], "a", r"node 'a': Add reads 2 value\(s\)"),
        ([relu("a", "input", "input")], "a", r"node 'a': ReLU reads 1 value\(s\)"),
        ([relu("a", "input")], "z", "output 'z' is not a node"),
        ([relu("a", "input")], "input", "output 'input' is not a node"),
        ([relu("a", "input"), relu("b", "input")], "a", "node 'b' does not contribute"),
        (
            [nn.Node("a", SHARED, ("input",)), nn.Node("b", SHARED, ("a",))],
            "b",
            "nodes 'a' and 'b' share one layer",
        ),
    ],
)
def test_impossible_networks_name_the_node(nodes, output, message):
    """Every fault of the wiring is a GraphError that says where."""
    with pytest.raises(GraphError, match=message):
        sort_nodes(tuple(nodes), output)


@given(st.permutations(range(5)))
def test_any_order_is_sorted(order):
    """Inputs come before their readers."""
    nodes = [
        relu("a", "input"),
        relu("b", "a"),
        relu("c", "a"),
        add("d", "b", "c"),
        add("e", "d", "input"),
    ]
    known = {"input"}
    for node in sort_nodes(tuple(nodes[i] for i in order), "e"):
        assert known.issuperset(node.inputs)
        known.add(node.name)


def test_a_sorted_list_keeps_its_order():
    """Where several orders are possible, the given one stays."""
    nodes = (relu("b", "input"), relu("a", "input"), add("c", "a", "b"))
    assert sort_nodes(nodes, "c") == nodes


def test_shapes_are_inferred_through_the_network():
    """From the input's to every node's."""
    nodes = (
        nn.Node("conv", nn.Conv2d(2, 3, 3, stride=2, rng=RNG), ("input",)),
        nn.Node("flat", nn.Flatten(), ("conv",)),
    )
    assert infer_shapes((5, 7, 2), nodes) == {
        "input": (5, 7, 2),
        "conv": (3, 4, 3),
        "flat": (36,),
    }


@pytest.mark.parametrize(
    ("shape", "layer", "message"),
    [
        ((4,), nn.Dense(5, 2, rng=RNG), "node 'a': Dense was built for vectors of 5"),
        ((2, 2, 1), nn.MaxPool2d(3), "node 'a': a 3x3 window does not fit"),
    ],
)
def test_clashing_shapes_name_the_node(shape, layer, message):
    """A layer that cannot read what it is given."""
    with pytest.raises(GraphError, match=message):
        infer_shapes(shape, (nn.Node("a", layer, ("input",)),))


def test_input_shapes_are_positive_ints():
    """NumPy's ints included."""
    assert as_input_shape([np.int64(3), 2]) == (3, 2)


@pytest.mark.parametrize("sizes", [(), (0, 3), (2, -1), (2.0,), "28", 3, None])
def test_other_input_shapes_are_refused(sizes):
    """Also what only looks like a size."""
    with pytest.raises(GraphError, match="input_shape"):
        as_input_shape(sizes)
