"""The layer without pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies.dialects import installed
from strategies.int_networks import scaled_network

from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.int_network import network_of
from kdq_ref.verify.network import Network, value_shapes
from kdq_ref.verify.proofs.exact_twin import exact_twin, twin_input
from kdq_ref.verify.proofs.pair_sums import AFFINE, layer_of


def _layers(seed: int) -> list[Network]:
    network = network_of(scaled_network(seed)).stored_as("uint8")
    return [layer_of(network, node) for node in network.nodes if node.operator in AFFINE]


def _inputs(layer: Network, seed: int) -> np.ndarray:
    (shape,) = layer.shapes.values()
    rng = np.random.default_rng(seed)
    return rng.choice(np.array([0, 255], np.uint8), (3, *shape))


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_the_saturating_dialect_computes_the_twin_exactly(seed: int) -> None:
    """Every layer, on extremes: what the exact dialect computes of the layer itself."""
    for layer in _layers(seed):
        x, (name,) = _inputs(layer, seed), layer.inputs
        exact = get_dialect("onnxruntime").run(layer, {name: x})[layer.output]
        twin = get_dialect("onnxruntime-avx2-default").run(exact_twin(layer), {name: twin_input(x)})
        assert_array_equal(twin[layer.output], exact)
        assert value_shapes(exact_twin(layer))[layer.output] == exact.shape[1:]


@pytest.mark.parametrize("seed", range(3))
def test_so_does_the_runtime(seed: int) -> None:
    """ONNX Runtime as it comes on the twin, and in its exact mode on the layer."""
    default, exact = installed("onnxruntime"), installed("onnxruntime-exact")
    for layer in _layers(seed):
        x, (name,) = _inputs(layer, seed), layer.inputs
        assert_array_equal(
            default.run(exact_twin(layer), {name: twin_input(x)})[layer.output],
            exact.run(layer, {name: x})[layer.output],
        )
