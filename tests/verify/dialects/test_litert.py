"""What LiteRT computes, in its three forms."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import agrees, dense_network, installed
from strategies.tflite_networks import (
    NETWORKS,
    assert_network,
    assert_random_networks,
    assert_wide,
)

from kdq_ref.verify.check import check
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.dialects.litert import DIALECTS
from kdq_ref.verify.network import Encoding, Network, Node
from kdq_ref.verify.samples import OPERATORS


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", DIALECTS)
def test_it_is_what_the_runtime_computes(name: str, operator: str) -> None:
    """Bit for bit, on samples that aim at ties, extremes, tiny and huge multipliers."""
    agrees(name, operator)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("name", DIALECTS)
def test_whole_networks(name: str, kind: str) -> None:
    """A student, a residual and a depthwise net, every value that the runtime gives."""
    assert_network(name, kind)


@pytest.mark.parametrize("operator", ["dense", "conv2d", "depthwise_conv2d"])
@pytest.mark.parametrize("name", DIALECTS)
def test_activations_of_int16(name: str, operator: str) -> None:
    """Biases and accumulators of int64, ties included."""
    assert_wide(name, operator)


def test_the_forms_are_not_each_other() -> None:
    """The comparison sees every difference that a name stands for: it could fail."""
    for runtime in DIALECTS:
        oracle = installed(runtime)
        for name in DIALECTS:
            (row,) = check(get_dialect(name), oracle, ("dense",), outputs=150_000)
            assert (row.mismatches == 0) == (name == runtime)


def test_one_tie_tells_all_three() -> None:
    """acc / 4 of 2, -2, 6 and -6, that is +-0.5 and +-1.5."""
    network = dense_network([[1]], scale=0.25)
    codes = {"x": np.array([[2], [-2], [6], [-6]], np.int8)}
    found = {name: get_dialect(name).run(network, codes)["y"].ravel().tolist() for name in DIALECTS}
    assert found == {
        "litert": [0, 0, 2, -2],
        "litert-builtin": [1, 0, 2, -1],
        "litert-reference": [1, -1, 2, -2],
    }


@pytest.mark.parametrize("operator", ["add", "mul", "max_pool2d", "avg_pool2d", "relu6"])
@pytest.mark.parametrize("name", DIALECTS)
def test_clamps_at_ties(name: str, operator: str) -> None:
    """6 / 4 and 6 / 12 are halves: bounds that are fused round as the runtime rounds them."""
    dialect, oracle = get_dialect(name), installed(name)
    rng = np.random.default_rng(0)
    names = ("a", "b") if operator in ("add", "mul") else ("a",)
    for scale in (4.0, 12.0):
        for zero_point in (-3, -2, 0, 1):
            encoding = Encoding("int8", scale, zero_point)
            clamp = None if operator == "relu6" else (0.0, 6.0)
            node = Node("y", operator, names, encoding, clamp=clamp)
            shape = (4, 4, 3)
            network = Network(
                dict.fromkeys(names, encoding), dict.fromkeys(names, shape), (node,), "y"
            )
            x = {name: rng.integers(-128, 128, (2, *shape)).astype(np.int8) for name in names}
            np.testing.assert_array_equal(
                dialect.run(network, x)["y"], oracle.run(network, x)["y"], err_msg=str(encoding)
            )


@pytest.mark.parametrize("name", DIALECTS)
def test_operators_in_any_order(name: str) -> None:
    """What a runtime might fuse or rewrite, it does without a trace."""
    assert_random_networks(name)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_value_times_itself(name: str) -> None:
    """Every code squared, halves among them: a product in LiteRT, a table in XNNPACK."""
    dialect, oracle = get_dialect(name), installed(name)
    codes = {"x": np.arange(-128, 128).astype(np.int8)[None]}
    for zero_point in (-128, -5, 0, 57):
        source = Encoding("int8", 0.125, zero_point)
        for step, clamp in ((0.125, None), (2.0, (0.0, 6.0)), (0.3, None)):
            end = Encoding("int8", float(np.float32(step)), zero_point)
            node = Node("y", "mul", ("x", "x"), end, clamp=clamp)
            network = Network({"x": source}, {"x": (256,)}, (node,), "y")
            np.testing.assert_array_equal(
                dialect.run(network, codes)["y"], oracle.run(network, codes)["y"]
            )
