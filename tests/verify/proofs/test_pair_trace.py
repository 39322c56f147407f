"""The pair behind a wrong code."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from strategies.int_networks import scaled_network

from kdq_ref.verify.accumulators import accumulate
from kdq_ref.verify.int_network import network_of
from kdq_ref.verify.network import Encoding, Network, Node, Weight
from kdq_ref.verify.proofs.pair_sums import AFFINE, layer_of
from kdq_ref.verify.proofs.pair_trace import first_saturated, operands_of

_SCALE = np.ones(1, np.float32)


def _dense(weights: list[int]) -> Network:
    weight = Weight(np.array(weights, np.int8)[:, None], _SCALE)
    node = Node("y", "dense", ("x",), Encoding("uint8"), weight=weight)
    return Network({"x": Encoding("uint8")}, {"x": (len(weights),)}, (node,), "y")


def test_the_pair_is_named_with_its_numbers() -> None:
    """The second pair of three, beyond the upper end."""
    layer = _dense([1, 1, 100, 120, 127])
    x = np.array([[9, 9, 200, 255, 255]], np.uint8)
    found = first_saturated(layer, layer.nodes[0], x, (0, 0))
    assert found is not None
    assert str(found) == "pair 1: 200 * 100 + 255 * 120 = 50,600, held as 32,767"


def test_the_lower_end() -> None:
    """-32,768 is what is left of -65,280."""
    layer = _dense([-128, -128])
    found = first_saturated(layer, layer.nodes[0], np.full((1, 2), 255, np.uint8), (0, 0))
    assert found is not None
    assert (found.total, found.held) == (-65280, -32768)


def test_nothing_saturates() -> None:
    """A single product never does."""
    layer = _dense([127])
    assert first_saturated(layer, layer.nodes[0], np.full((1, 1), 255, np.uint8), (0, 0)) is None


@given(st.integers(0, 2**32))
def test_operands_sum_up_to_the_accumulator(seed: int) -> None:
    """At any place of any kind of layer."""
    rng = np.random.default_rng(seed)
    network = network_of(scaled_network(seed)).stored_as("uint8")
    for node in network.nodes:
        if node.operator not in AFFINE:
            continue
        layer = layer_of(network, node)
        ((name, shape),) = layer.shapes.items()
        x = rng.integers(0, 256, (2, *shape)).astype(np.uint8)
        acc = accumulate(layer, node, x)
        place = tuple(int(rng.integers(size)) for size in acc.shape)
        codes, weights = operands_of(layer, node, x, place).T
        assert ((codes - layer.encodings[name].zero_point) * weights).sum() == acc[place]
