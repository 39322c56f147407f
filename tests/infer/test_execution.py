"""The network's definition: operators in order, independent of batching."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies.int_networks import residual_network

from kdq_ref import infer, intref
from kdq_ref.infer import execution
from kdq_ref.infer.execution import trace
from kdq_ref.rounding import RULES


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(RULES)))
def test_each_value_is_the_operator_on_its_inputs(seed: int, rule: str) -> None:
    """trace yields every value in order; each equals the specification called by hand."""
    graph = residual_network(seed, rule)
    x = np.random.default_rng(seed).standard_normal((2, 6, 5, 3), dtype=np.float32)
    values = dict(trace(graph, x))
    assert list(values) == ["input", *(node.name for node in graph.nodes)]
    codes = intref.quantize(x, scale=graph.input_scale, zero_point=graph.input_zero_point)
    np.testing.assert_array_equal(values["input"], codes)
    for node in graph.nodes:
        function = getattr(intref, node.op.kind)
        expected = function(*(values[i] for i in node.inputs), **node.op.keywords())
        np.testing.assert_array_equal(values[node.name], expected)
        assert values[node.name].shape[1:] == graph.shapes[node.name]
    np.testing.assert_array_equal(infer.run(graph, x), values[graph.output])


@pytest.mark.parametrize("batch", [0, 1, 2, 3, 7])
def test_the_batch_does_not_change_the_bits(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """Images are independent: chunks of 3 or one at a time give the same codes."""
    graph = residual_network(1)
    x = np.random.default_rng(0).integers(-128, 128, (batch, 6, 5, 3)).astype(np.int8)
    expected = infer.run(graph, x)
    monkeypatch.setattr(execution, "_IMAGES_AT_ONCE", 3)
    np.testing.assert_array_equal(infer.run(graph, x), expected)
    assert expected.shape == (batch, 4)
    for i in range(batch):
        np.testing.assert_array_equal(infer.run(graph, x[i : i + 1])[0], expected[i])


def test_nodes_may_be_computed_another_way() -> None:
    """Whatever computes the nodes gets each with its inputs' codes, in order."""
    graph = residual_network(3)
    x = np.random.default_rng(0).integers(-128, 128, (3, 6, 5, 3)).astype(np.int8)
    seen: list[str] = []

    def apply(node: infer.IntNode, *codes: np.ndarray) -> np.ndarray:
        seen.append(node.name)
        return (
            execution.by_definition(node, *codes) if node.name != graph.output else codes[0][:, :4]
        )

    values = dict(trace(graph, x, apply))
    names = [node.name for node in graph.nodes]
    assert seen == names
    np.testing.assert_array_equal(values[names[-1]], values["join"][:, :4])
    parts = execution.run_in_parts(graph, x, 2, apply)
    assert seen == names * 3
    np.testing.assert_array_equal(parts, values[names[-1]])


def test_codes_and_real_values_are_the_same_input() -> None:
    """Quantizing by hand first changes nothing."""
    graph = residual_network(2)
    x = np.random.default_rng(0).standard_normal((3, 6, 5, 3), dtype=np.float32)
    codes = intref.quantize(x, scale=graph.input_scale, zero_point=graph.input_zero_point)
    np.testing.assert_array_equal(infer.run(graph, x), infer.run(graph, codes))


def test_a_network_may_return_its_input() -> None:
    """No operators at all: the result is the quantized input."""
    graph = infer.IntGraph((3,), 0.5, 1, (), "input", RULES["single_rounding"])
    x = np.array([[0.5, -1.0, 100.0]], np.float32)
    assert infer.run(graph, x).tolist() == [[2, -1, 127]]
    assert infer.Engine(graph).run(x).tolist() == [[2, -1, 127]]
