"""The search for an input of a whole network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies.int_networks import scaled_network

from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.int_network import network_of
from kdq_ref.verify.network import store
from kdq_ref.verify.proofs.input_search import (
    Search,
    network_witness,
    overshoot,
    saturation_changes,
    starts,
)
from kdq_ref.verify.proofs.pair_sums import (
    AFFINE,
    INT16_MAX,
    INT16_MIN,
    grouped_weights,
    layer_of,
    operand_ranges,
    pair_bounds,
    prefix,
    runtime_codes,
)
from kdq_ref.verify.proofs.pair_trace import operands_of

_NAME = "onnxruntime-avx2-default"


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_the_margin_is_the_largest_overshoot(seed: int) -> None:
    """Against every pair of every output element, one by one."""
    rng = np.random.default_rng(seed)
    network = network_of(scaled_network(seed)).stored_as("uint8")
    node = rng.choice(np.array([n for n in network.nodes if n.operator in AFFINE], object))
    layer = layer_of(network, node)
    ((_, shape),) = layer.shapes.items()
    everything = np.tile([0, 255], (shape[-1], 1))
    bounds = pair_bounds(grouped_weights(layer, node), operand_ranges(layer, node, everything))
    if bounds.certified:
        return
    x = rng.choice(np.array([0, 40, 255], np.uint8), (2, *shape))
    found = overshoot(layer, node, bounds)(x)
    answer = get_dialect("onnxruntime").run(layer, {node.inputs[0]: x})[node.name]
    for b in range(2):
        best = -(2**30)
        for place in np.ndindex(answer.shape[1:]):
            products = operands_of(layer, node, x, (b, *place)).prod(axis=1)
            pairs = np.pad(products, (0, len(products) % 2)).reshape(-1, 2).sum(axis=1)
            best = max(best, int(pairs.max()) - INT16_MAX, INT16_MIN - int(pairs.min()))
        # Pairs that cannot leave int16 are not looked at.
        assert found[b] == best or (best <= 0 and found[b] <= best)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_found_saturates_the_network(seed: int) -> None:
    """The saturating dialect differs from the exact one in the very layer, on its own input."""
    graph = scaled_network(seed)
    network = network_of(graph).stored_as("uint8")
    codes, dialect, found = runtime_codes(network, _NAME), get_dialect(_NAME), 0
    for node in network.nodes:
        if node.operator not in AFFINE:
            continue
        ranges = operand_ranges(network, node, codes[node.inputs[0]])
        bounds = pair_bounds(grouped_weights(network, node), ranges)
        if bounds.certified:
            continue
        search = Search(seed, rounds=5)
        x = network_witness(graph, network, node, bounds, dialect, None, search)
        again = network_witness(graph, network, node, bounds, dialect, None, search)
        assert (x is None) == (again is None)
        if x is None:
            continue
        found += 1
        assert_array_equal(x, again)
        before = dialect.run(prefix(network, node.inputs[0]), {"input": store(x, "uint8")})
        layer, value = layer_of(network, node), before[node.inputs[0]]
        wrong = dialect.run(layer, {node.inputs[0]: value})[node.name]
        right = get_dialect("onnxruntime").run(layer, {node.inputs[0]: value})[node.name]
        assert_array_equal(saturation_changes(layer, dialect, value), wrong != right)
        assert (wrong != right).any()
    assert found


def test_images_come_first() -> None:
    """Given codes are tried, before constants and noise."""
    images = np.full((2, 3), 7, np.int8)
    pool = starts((3,), images, np.random.default_rng(0))
    assert_array_equal(pool[:2], images)
    assert_array_equal(pool[2:5, 0], [-128, 0, 127])
    assert pool.dtype == np.int8


def test_nothing_is_claimed_of_harmless_weights() -> None:
    """With weights divided by four no candidate has a positive margin: None."""
    graph = scaled_network(1)
    network = network_of(graph).stored_as("uint8")
    node = network.nodes[0]
    codes = runtime_codes(network, _NAME)["input"]
    bounds = pair_bounds(grouped_weights(network, node), operand_ranges(network, node, codes))
    small = network_of(scaled_network(1, divisor=4)).stored_as("uint8")
    harmless = replace(node, weight=small.nodes[0].weight)
    network = replace(network, nodes=(harmless, *network.nodes[1:]))
    search = Search(0, rounds=2)
    assert (
        network_witness(graph, network, harmless, bounds, get_dialect(_NAME), None, search) is None
    )
