"""Integer networks as runtimes are given them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies.int_networks import RUNTIME_RULES, residual_network, scaled_network

from kdq_ref import infer
from kdq_ref.errors import UnsupportedError
from kdq_ref.rounding import RULES, Requant, fbgemm
from kdq_ref.verify.dialects.kdq_rules import under
from kdq_ref.verify.int_network import network_of, weight_scales

_SEEDS = st.integers(0, 2**32)


@given(_SEEDS, st.sampled_from(RUNTIME_RULES))
def test_the_network_computes_the_same_codes(seed: int, rule: str) -> None:
    """Under the graph's rule, every value of every node, from recovered scales alone."""
    graph = scaled_network(seed, rule)
    x = np.random.default_rng(seed).integers(-128, 128, (3, *graph.input_shape)).astype(np.int8)
    values = under(rule).run(network_of(graph), {"input": x})
    for node in graph.nodes:
        part = replace(graph, nodes=graph.nodes[: graph.nodes.index(node) + 1], output=node.name)
        assert_array_equal(values[node.name], infer.run(part, x))


@given(
    _SEEDS,
    st.sampled_from(RUNTIME_RULES),
    st.floats(2.0**-100, 2.0**100, width=32),
    st.floats(2.0**-13, 2.0**13, width=32),
)
def test_scales_form_their_constants_again(seed: int, rule: str, middle: float, s_y: float) -> None:
    """Whatever float32 scales made them; a mantissa of 31 bits tells which they were."""
    rng = np.random.default_rng(seed)
    scales = (rng.uniform(0.6, 0.9, 5) * s_y / middle * 2.0 ** rng.integers(-20, 0, 5)).astype(
        np.float32
    )
    constants = RULES[rule].constants(middle, scales, s_y)
    found = weight_scales(Requant(RULES[rule], constants, 0), middle, s_y)
    again = RULES[rule].constants(middle, found, s_y)
    for name in RULES[rule].uses:
        assert_array_equal(getattr(again, name), getattr(constants, name))
    if rule in ("single_rounding", "double_rounding", "float64_half_away", "onnx_spec"):
        assert_array_equal(found, scales)


def test_a_channel_that_vanished_gets_a_scale_that_vanishes() -> None:
    """A multiplier below 2**-32 is stored as zero, whatever it was."""
    rule = RULES["single_rounding"]
    constants = rule.constants(1.0, np.array([2.0**-40, 0.5]), 1.0)
    scales = weight_scales(Requant(rule, constants, 0), 1.0, 1.0)
    assert rule.constants(1.0, scales, 1.0).multiplier.tolist() == [0, 2**30]


def test_constants_without_a_float32_scale_are_refused() -> None:
    """The message names the node and the channel."""
    with pytest.raises(UnsupportedError, match=r"'conv'.* channel 0"):
        network_of(residual_network(0))


def test_a_real_bias_is_refused() -> None:
    """The networks of runtimes here have integer biases."""
    constants = fbgemm.constants(1.0, np.ones(2), 1.0, np.ones(2))
    with pytest.raises(UnsupportedError, match="keeps the bias real"):
        weight_scales(Requant(fbgemm, constants, 0), 1.0, 1.0)


def _with(graph: infer.IntGraph, kind: str, **fields: object) -> infer.IntGraph:
    nodes = list(graph.nodes)
    place = next(i for i, node in enumerate(nodes) if node.op.kind == kind)
    nodes[place] = replace(nodes[place], op=replace(nodes[place].op, **fields))
    return replace(graph, nodes=tuple(nodes))


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("lookup", {"table": np.arange(256).astype(np.uint8).view(np.int8)}, "sigmoid"),
        ("avg_pool2d", {"padding": (1, 1, 1, 1)}, "padding"),
        ("avg_pool2d", {"kernel": (1, 2), "stride": (1, 1)}, "average of 2 codes"),
        ("add", {"a_multiplier": 5}, "its scales"),
    ],
)
def test_what_runtimes_lack_is_refused(kind: str, fields: dict, message: str) -> None:
    """A table of no function, averages over padding or by another size, unequal addends."""
    graph = _alone(kind)
    network_of(graph)
    with pytest.raises(UnsupportedError, match=message):
        network_of(_with(graph, kind, **fields))


def _alone(kind: str) -> infer.IntGraph:
    """The network up to the first node of that kind."""
    graph = scaled_network(3)
    place = next(i for i, node in enumerate(graph.nodes) if node.op.kind == kind)
    return replace(graph, nodes=graph.nodes[: place + 1], output=graph.nodes[place].name)


def test_a_scale_beyond_float32_is_refused() -> None:
    """Files of runtimes hold float32."""
    graph = scaled_network(3)
    with pytest.raises(UnsupportedError, match=r"'input'.*0\.1"):
        network_of(replace(graph, input_scale=0.1))
