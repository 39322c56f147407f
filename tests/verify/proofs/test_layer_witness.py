"""Inputs of a single layer that saturate it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies.int_networks import scaled_network

from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.int_network import network_of
from kdq_ref.verify.network import Encoding, Network, Node, Weight
from kdq_ref.verify.proofs.layer_witness import layer_witness
from kdq_ref.verify.proofs.pair_sums import AFFINE, layer_of, runtime_codes

_NAME = "onnxruntime-avx2-default"


def _changes(layer: Network, x: np.ndarray) -> bool:
    """Whether the saturating dialect and the exact one differ: no part of the proof."""
    (name,) = layer.inputs
    answers = [get_dialect(d).run(layer, {name: x})[layer.output] for d in (_NAME, "onnxruntime")]
    return bool((answers[0] != answers[1]).any())


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_a_witness_changes_a_code_and_is_reachable(seed: int) -> None:
    """Every layer of a network: what is found is inside the codes, and wrong on the runtime."""
    network = network_of(scaled_network(seed)).stored_as("uint8")
    codes = runtime_codes(network, _NAME)
    for node in network.nodes:
        if node.operator not in AFFINE:
            continue
        layer, ranges = layer_of(network, node), codes[node.inputs[0]]
        x = layer_witness(layer, ranges, get_dialect(_NAME))
        if x is not None:
            assert (ranges[:, 0] <= x).all()
            assert (x <= ranges[:, 1]).all()
            assert _changes(layer, x)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("weight", [65, 127])
def test_a_small_loss_is_brought_to_a_boundary(sign: int, weight: int) -> None:
    """One pair overshoots, by 255 * 1 - 127 or more: the others steer to where that shows."""
    w = np.full((8, 1), sign, np.int8)
    w[:2, 0] = sign * 64, sign * weight
    w[2:, 0] = [7, 5, 3, -4, -9, 1]
    node = Node(
        "y",
        "dense",
        ("x",),
        Encoding("uint8", 1000.0, 128),
        weight=Weight(w, np.ones(1, np.float32)),
    )
    layer = Network({"x": Encoding("uint8", 1.0, 20)}, {"x": (8,)}, (node,), "y")
    x = layer_witness(layer, np.tile([0, 255], (8, 1)), get_dialect(_NAME))
    assert x is not None
    assert _changes(layer, x)


def test_none_where_no_pair_overshoots() -> None:
    """Weights of 64 and less."""
    weight = Weight(np.full((4, 2), 64, np.int8), np.full(1, 0.01, np.float32))
    node = Node("y", "dense", ("x",), Encoding("uint8"), weight=weight)
    layer = Network({"x": Encoding("uint8")}, {"x": (4,)}, (node,), "y")
    assert layer_witness(layer, np.tile([0, 255], (4, 1)), get_dialect(_NAME)) is None
