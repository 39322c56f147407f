"""Whole networks, in every runtime's own format."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from strategies.dialects import installed

from kdq_ref import infer, intref, nn, quant, zoo
from kdq_ref.quant.spec import QuantSpec
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.int_network import network_of
from kdq_ref.verify.network import store

NETWORKS = ("digits-student", "fashion-student", "residual", "depthwise")
RUNTIMES = ("onnxruntime", "onnxruntime-s8", "onnxruntime-avx2-default", "kdq")


@lru_cache(maxsize=4)
def _quantized(name: str) -> tuple[nn.Graph, QuantSpec, np.ndarray]:
    """A network of the zoo with random weights and biases, folded; its spec; and images."""
    rng = np.random.default_rng([3, NETWORKS.index(name)])
    graph = zoo.build(name, rng)
    for key, value in graph.parameters().items():
        if key.endswith((".b", ".beta")):
            value[...] = rng.normal(0, 0.2, value.shape)
    images = rng.random((40, *graph.input_shape), np.float32)
    folded = quant.fold_batch_norm(graph)
    return folded, quant.calibrate(folded, images[:32]), images


def _codes(name: str) -> tuple[nn.Graph, QuantSpec, np.ndarray]:
    folded, spec, images = _quantized(name)
    first = spec.activations["input"]
    return folded, spec, intref.quantize(images, scale=first.scale, zero_point=first.zero_point)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", NETWORKS)
def test_whole_networks_are_what_runtimes_compute(name: str, runtime: str) -> None:
    """Every value of every node, bit for bit; many different codes come out."""
    folded, spec, codes = _codes(name)
    dialect = get_dialect(runtime)
    oracle = installed(dialect.runtime)
    network = network_of(quant.lower(folded, spec)).stored_as(dialect.storage)
    inputs = {"input": store(codes, dialect.storage)}
    values, answers = dialect.run(network, inputs), oracle.run(network, inputs)
    assert answers.keys() == {node.name for node in network.nodes}
    for node in network.nodes:
        np.testing.assert_array_equal(answers[node.name], values[node.name], err_msg=node.name)
    assert len(np.unique(values[network.output])) > 10


@pytest.mark.parametrize("name", ["digits-student", "fashion-student"])
def test_pytorch_computes_networks_without_averages(name: str) -> None:
    """Its averages keep their input's scale; convolutions, maxima and products are all its own."""
    folded, spec, codes = _codes(name)
    network = network_of(quant.lower(folded, spec)).stored_as("uint8")
    inputs = {"input": store(codes, "uint8")}
    values = get_dialect("pytorch-fbgemm").run(network, inputs)
    answers = installed("pytorch-fbgemm").run(network, inputs)
    for node in network.nodes:
        np.testing.assert_array_equal(answers[node.name], values[node.name], err_msg=node.name)


@pytest.mark.parametrize("name", NETWORKS)
def test_our_dialect_is_the_lowered_network(name: str) -> None:
    """From scales back to multipliers: the same codes as the network that was lowered."""
    folded, spec, codes = _codes(name)
    lowered = quant.lower(folded, spec)
    values = get_dialect("kdq").run(network_of(lowered), {"input": codes})
    np.testing.assert_array_equal(values[lowered.output], infer.run(lowered, codes))


def test_the_default_saturates_in_a_network() -> None:
    """Its outputs are not those of exact sums, where pair sums saturate; both are predicted."""
    folded, spec, codes = _codes("fashion-student")
    network = network_of(quant.lower(folded, spec)).stored_as("uint8")
    inputs = {"input": store(codes, "uint8")}
    exact = get_dialect("onnxruntime").run(network, inputs)[network.output]
    default = get_dialect("onnxruntime-avx2-default").run(network, inputs)[network.output]
    assert not np.array_equal(exact, default)
