"""Networks as ONNX models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from strategies.dialects import dense_network

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.network import Encoding, Network, Node
from kdq_ref.verify.samples import OPERATORS, generate

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install '.[oracles]'")


def _parsed(network: Network, **options: Any) -> Any:
    from kdq_ref.verify.oracles.onnx_model import build_model

    return onnx.load_model_from_string(build_model(network, **options))


def _kinds(network: Network, **options: Any) -> list[str]:
    return [node.op_type for node in _parsed(network, **options).graph.node]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_models_without_contributed_operators_are_onnx(operator: str, dtype: str) -> None:
    """Every operator has a form that the checker of ONNX itself accepts."""
    stream = generate(operator, seed=1, outputs=200)
    for _ in range(4):
        network = next(stream).network.stored_as(dtype)
        onnx.checker.check_model(_parsed(network, contrib=False), full_check=True)


def test_products_use_a_bias_where_there_is_one() -> None:
    """QLinearMatMul has none; QGemm has, and so has a convolution of one position."""
    bias = np.array([1, 0], np.int32)
    weight = np.ones((3, 2), np.int8)
    assert "QLinearMatMul" in _kinds(dense_network(weight))
    assert "QLinearMatMul" in _kinds(dense_network(weight, bias=0 * bias))
    assert "QGemm" in _kinds(dense_network(weight, bias=bias))
    assert "QLinearConv" in _kinds(dense_network(weight, bias=bias), contrib=False)


def test_a_clamp_that_saturation_does_is_not_written() -> None:
    """ReLU at zero point -128 is saturation; at another it is a Clip."""
    relu = (0.0, float("inf"))
    for zero_point, clipped in ((-128, False), (-127, True)):
        network = dense_network([[1]], output=Encoding("int8", 1.0, zero_point), clamp=relu)
        assert ("Clip" in _kinds(network)) == clipped


def test_images_are_turned_once() -> None:
    """Channels first inside, channels last outside, for every value that is asked for."""
    encoding = Encoding("int8", 0.5, 0)
    nodes = (
        Node("a", "max_pool2d", ("x",), encoding, kernel=(2, 2)),
        Node("b", "max_pool2d", ("a",), encoding, kernel=(2, 2)),
    )
    network = Network({"x": encoding}, {"x": (5, 6, 3)}, nodes, "b")
    assert _kinds(network) == ["Transpose", "MaxPool", "MaxPool", "Transpose"]
    both = _parsed(network, outputs=["a", "b"], batch=4)
    shapes = [
        [axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in both.graph.output
    ]
    assert shapes == [[4, 4, 5, 3], [4, 3, 4, 3]]


def test_storage_without_an_operator_is_refused() -> None:
    """int16 activations have no quantized ONNX operators here."""
    network = Network({"x": Encoding("int16")}, {"x": (2,)}, (), "x")
    with pytest.raises(UnsupportedError, match="stored as int16"):
        _parsed(network)
