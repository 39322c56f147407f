"""Bounds of pair sums on a runtime that saturates them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies.dialects import dense_network
from strategies.int_networks import scaled_network

from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.int_network import network_of
from kdq_ref.verify.network import Encoding, Network, Node, Weight, store
from kdq_ref.verify.proofs.pair_sums import (
    AFFINE,
    PAIRED,
    group_count,
    grouped_weights,
    layer_of,
    operand_ranges,
    pair_bounds,
    prefix,
    runtime_codes,
)


@given(st.integers(0, 2**32))
def test_the_ends_are_those_of_all_codes(seed: int) -> None:
    """Every combination of codes, tried one by one; an odd last weight stands alone."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, (1, 3, 2))
    ranges = np.sort(rng.integers(0, 256, (1, 3, 2)) // 64 * 85, axis=2)
    bounds = pair_bounds(weights, ranges)
    for n in range(2):
        spans = [range(low, high + 1, max(1, high - low)) for low, high in ranges[0]]
        w = weights[0, :, n]
        pairs = [a * w[0] + b * w[1] for a, b in product(spans[0], spans[1])]
        alone = [c * w[2] for c in spans[2]]
        assert_array_equal(bounds.lows[0, :, n], [min(pairs), min(alone)])
        assert_array_equal(bounds.highs[0, :, n], [max(pairs), max(alone)])


@pytest.mark.parametrize(
    ("weights", "certified"),
    [
        ((64, 64), True),
        ((64, 65), False),
        ((-64, -64), True),
        ((-65, -64), False),
        ((1, 127), True),
    ],
)
def test_the_last_weights_that_fit(weights: tuple[int, int], certified: bool) -> None:
    """255 * 128 = 32,640 fits int16 on either side, 255 * 129 = 32,895 does not."""
    network = dense_network(np.array([weights]).T, source=Encoding("uint8"))
    node = network.nodes[0]
    codes = np.array([[0, 255], [0, 255]])
    bounds = pair_bounds(grouped_weights(network, node), operand_ranges(network, node, codes))
    assert bounds.certified == certified
    assert bounds.suspects == (not certified)


def test_codes_that_cannot_be_reached_do_not_count() -> None:
    """Behind a ReLU6 that ends at code 100, weights of 127 cannot saturate."""
    six = Encoding("uint8", 0.06, 0)
    nodes = (
        Node("a", "relu6", ("x",), six),
        Node("y", "dense", ("a",), Encoding("uint8"), weight=_weight(np.full((2, 1), 127))),
    )
    network = Network({"x": Encoding("uint8")}, {"x": (2,)}, nodes, "y")
    codes = runtime_codes(network, "onnxruntime-avx2-default")["a"]
    assert_array_equal(codes, [[0, 100], [0, 100]])
    ranges = operand_ranges(network, nodes[1], codes)
    assert pair_bounds(grouped_weights(network, nodes[1]), ranges).certified


def _weight(codes: np.ndarray) -> Weight:
    return Weight(codes.astype(np.int8), np.full(1, 0.001, np.float32))


def test_padding_is_a_code_like_others() -> None:
    """A zero point beyond the reachable codes widens the operands of padded windows only."""
    node = Node("y", "conv2d", ("x",), Encoding("uint8"), weight=_weight(np.ones((1, 2, 1, 1))))
    padded = Node(**{**vars(node), "padding": (0, 0, 1, 0)})
    source = {"x": Encoding("uint8", 1.0, 200)}
    codes = np.array([[0, 100]])
    for one, high in ((node, 100), (padded, 200)):
        network = Network(source, {"x": (1, 3, 1)}, (one,), "y")
        assert_array_equal(operand_ranges(network, one, codes), [[[0, high], [0, high]]])


@given(st.integers(0, 2**32), st.sampled_from(sorted(PAIRED)), st.sampled_from([1, 3]))
def test_no_input_leaves_the_codes(seed: int, name: str, divisor: int) -> None:
    """Whatever the saturating dialect computes is inside, value by value."""
    network = network_of(scaled_network(seed, divisor=divisor)).stored_as("uint8")
    rng = np.random.default_rng(seed)
    x = np.concatenate(
        [rng.integers(0, 256, (4, 6, 5, 3)), rng.choice([0, 255], (4, 6, 5, 3))]
    ).astype(np.uint8)
    ranges = runtime_codes(network, name)
    for value, codes in get_dialect(name).run(network, {"input": x}).items():
        low, high = ranges[value].T
        assert (low <= codes).all()
        assert (codes <= high).all()


@pytest.mark.parametrize("name", sorted(PAIRED))
def test_what_float32_loses_is_inside(name: str) -> None:
    """A sum of 2**26 and a real bias round to multiples of 4, and a multiplier of 8 shows it."""
    weights = np.full((4096, 1), 64)
    weights[0] = 63
    x = np.full((1, 4096), 255, np.uint8)
    for step in range(16):
        bias = np.array([step - 255 * int(weights.sum())])
        ends = {"source": Encoding("uint8"), "output": Encoding("uint8", 0.125)}
        network = dense_network(weights, **ends, bias=bias)
        _assert_inside(network, name, x)


@pytest.mark.parametrize("name", sorted(PAIRED))
def test_what_overflows_int32_is_inside(name: str) -> None:
    """FBGEMM makes the smallest code of what is far above the largest."""
    tiny = Encoding("uint8", 2.0**-30)
    weights, bias = np.ones((2, 1)), np.array([4])
    network = dense_network(weights, source=Encoding("uint8"), output=tiny, bias=bias)
    _assert_inside(network, name, np.zeros((1, 2), np.uint8))


def _assert_inside(network: Network, name: str, x: np.ndarray) -> None:
    (node,) = network.nodes
    ((low, high),) = runtime_codes(network, name)[node.name]
    (source,) = network.inputs
    code = get_dialect(name).run(network, {source: x})[node.name]
    assert low <= code.item() <= high


def test_the_groups_of_every_layer() -> None:
    """Weights by group in the order of the sum, for each kind of layer."""
    network = network_of(scaled_network(4))
    for node in network.nodes:
        if node.operator not in AFFINE:
            continue
        weights, codes = grouped_weights(network, node), node.weight.codes
        groups = group_count(network, node)
        n = codes.shape[-1] // groups
        for g in range(groups):
            alone = codes.reshape(-1, codes.shape[-1])[:, g * n : (g + 1) * n]
            assert_array_equal(weights[g], alone)


def test_a_layer_alone_and_what_comes_before() -> None:
    """Together they compute what the network does."""
    network = network_of(scaled_network(9)).stored_as("uint8")
    dialect = get_dialect("onnxruntime-avx2-default")
    x = store(np.random.default_rng(0).integers(-128, 128, (2, 6, 5, 3)).astype(np.int8), "uint8")
    values = dialect.run(network, {"input": x})
    node = next(node for node in network.nodes if node.operator == "dense")
    before = prefix(network, node.inputs[0])
    (source,) = node.inputs
    codes = dialect.run(before, {"input": x})[source]
    assert before.nodes[-1].name == source
    assert prefix(network, "input").nodes == ()
    assert_array_equal(
        dialect.run(layer_of(network, node), {source: codes})[node.name], values[node.name]
    )
