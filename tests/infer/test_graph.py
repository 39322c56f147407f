"""IntGraph refuses every network that cannot exist."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
from strategies.int_networks import residual_network

from kdq_ref import infer
from kdq_ref.errors import (
    AccumulatorOverflowError,
    DTypeError,
    GraphError,
    NotFiniteError,
    RangeError,
    ShapeError,
)
from kdq_ref.rounding import RULES, Requant, double_rounding, single_rounding

GRAPH = residual_network(0)


def _node(name: str) -> infer.IntNode:
    return next(node for node in GRAPH.nodes if node.name == name)


def _replaced(node_name: str, /, **changes) -> tuple[infer.IntNode, ...]:
    return tuple(
        dataclasses.replace(node, **changes) if node.name == node_name else node
        for node in GRAPH.nodes
    )


def test_shapes_bounds_and_counts_are_derived() -> None:
    """What a reader asks of a network, for one whose numbers can be checked by hand."""
    assert GRAPH.shapes["conv"] == (6, 5, 4)
    assert GRAPH.shapes["depthwise"] == (3, 5, 8)
    assert GRAPH.output_shape == (4,)
    assert GRAPH.bounds.keys() == {"conv", "depthwise", "grouped", "wide", "logits"}
    assert GRAPH.bounds["conv"].shape == (4, 2)
    conv, depthwise, grouped = 30 * 27 * 4, 15 * 6 * 8, 15 * 4 * 8
    assert GRAPH.macs() == conv + depthwise + grouped + 120 * 8 + 8 * 4
    weights = 27 * 4 + 6 * 8 + 4 * 8 + 120 * 8 + 8 * 4
    assert GRAPH.count_parameters() == weights + 4 + 8 + 8 + 8 + 4
    assert GRAPH.quantization("input") == (GRAPH.input_scale, GRAPH.input_zero_point)
    assert (GRAPH.output_scale, GRAPH.output_zero_point) == GRAPH.quantization("logits")
    with pytest.raises(GraphError, match="'nowhere' is not a value"):
        GRAPH.quantization("nowhere")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"nodes": _replaced("sum", name="conv")}, GraphError, "two values are called 'conv'"),
        ({"nodes": _replaced("conv", name="input")}, GraphError, "two values are called 'input'"),
        ({"nodes": _replaced("conv", inputs=("logits",))}, GraphError, "not an earlier node"),
        ({"nodes": _replaced("conv", inputs=("conv",))}, GraphError, "cycle"),
        ({"nodes": _replaced("sum", inputs=("table",))}, GraphError, r"takes 2 input\(s\), got 1"),
        ({"nodes": _replaced("sum", inputs=("table", "conv"))}, GraphError, "two equal shapes"),
        ({"nodes": _replaced("logits", inputs=("conv",))}, GraphError, "flatten first"),
        ({"nodes": _replaced("conv", scale=0.0)}, GraphError, "'conv'.*scale must be a positive"),
        ({"nodes": _replaced("conv", scale=float("nan"))}, GraphError, "scale"),
        ({"nodes": _replaced("max", zero_point=128)}, GraphError, "zero_point"),
        (
            {"nodes": _replaced("conv", zero_point=-_node("conv").zero_point - 1)},
            GraphError,
            "requantizes to zero point",
        ),
        ({"output": "nothing"}, GraphError, "output 'nothing' is not a node"),
        ({"rule": RULES["double_rounding"]}, GraphError, "rounds by single_rounding"),
        ({"input_shape": (6, 5)}, GraphError, r"expected samples of shape \(H, W, C\)"),
        ({"input_shape": (6, 0, 3)}, RangeError, "input_shape"),
        ({"input_shape": (2**20, 2**20, 3)}, GraphError, "elements per sample"),
        ({"input_scale": -1.0}, RangeError, "scale"),
        ({"input_zero_point": 200}, RangeError, "zero_point"),
    ],
)
def test_impossible_networks_are_typed_errors(changes: dict, error: type, message: str) -> None:
    """Each fault is found when the graph is made, and named."""
    with pytest.raises(error, match=message):
        dataclasses.replace(GRAPH, **changes)


def test_an_unprovable_channel_is_refused() -> None:
    """A dense layer so wide that its accumulator might overflow cannot be built."""
    k = 70_000
    requant = Requant(single_rounding, single_rounding.constants(1e-6, 1.0, 1.0), 0)
    op = infer.Dense(np.full((k, 1), 127, np.int8), np.zeros(1, np.int32), -128, requant)
    with pytest.raises(AccumulatorOverflowError, match="'wide'"):
        infer.IntGraph(
            (k,),
            1.0,
            -128,
            (infer.IntNode("wide", op, ("input",), 1.0, 0),),
            "wide",
            single_rounding,
        )


def test_too_many_nodes_are_refused() -> None:
    """A hostile file cannot make a graph of any size."""
    node = infer.IntNode("a", infer.Flatten(), ("input",), 1.0, 0)
    with pytest.raises(GraphError, match="too many"):
        infer.IntGraph((2,), 1.0, 0, (node,) * 10_001, "a", double_rounding)


@pytest.mark.parametrize(
    ("x", "error"),
    [
        (np.zeros((1, 6, 5, 3), np.float64), DTypeError),
        (np.zeros((1, 6, 5, 3), np.uint8), DTypeError),
        (np.zeros((6, 5, 3), np.float32), ShapeError),
        (np.zeros((1, 5, 6, 3), np.float32), ShapeError),
        (np.full((1, 6, 5, 3), np.nan, np.float32), NotFiniteError),
        (np.full((1, 6, 5, 3), -np.inf, np.float32), NotFiniteError),
    ],
)
def test_bad_inputs_are_typed_errors(x: np.ndarray, error: type) -> None:
    """For the specification and for the engine alike."""
    with pytest.raises(error):
        infer.run(GRAPH, x)
    with pytest.raises(error):
        infer.Engine(GRAPH).run(x)


@pytest.mark.parametrize("name", ["\ud800", b"conv", 5, None])
def test_names_are_utf8_text(name: object) -> None:
    """A file could not hold anything else."""
    with pytest.raises(GraphError, match="UTF-8"):
        dataclasses.replace(GRAPH, nodes=_replaced("conv", name=name))


def test_a_network_can_be_pickled() -> None:
    """To run it in a worker process."""
    x = np.random.default_rng(0).standard_normal((3, 6, 5, 3), dtype=np.float32)
    twin = pickle.loads(pickle.dumps(GRAPH))
    np.testing.assert_array_equal(infer.run(twin, x), infer.run(GRAPH, x))


@pytest.mark.parametrize(
    ("name", "field"),
    [("conv", "x_zero_point"), ("average", "x_zero_point"), ("sum", "b_zero_point")],
)
def test_codes_are_read_as_they_were_written(name: str, field: str) -> None:
    """A zero point that is not the input's would shift every value, silently."""
    op = _node(name).op
    wrong = dataclasses.replace(op, **{field: 1 if getattr(op, field) != 1 else 2})
    with pytest.raises(GraphError, match=f"{name}.*{field}"):
        dataclasses.replace(GRAPH, nodes=_replaced(name, op=wrong))


@pytest.mark.parametrize("name", ["max", "flat"])
@pytest.mark.parametrize("changes", [{"scale": 0.25}, {"zero_point": None}])
def test_moved_codes_keep_their_meaning(name: str, changes: dict) -> None:
    """Max pooling and flatten cannot change scale or zero point."""
    other = 1 if _node(name).zero_point != 1 else 2
    changes = {key: other if value is None else value for key, value in changes.items()}
    with pytest.raises(GraphError, match="only moves codes"):
        dataclasses.replace(GRAPH, nodes=_replaced(name, **changes))
