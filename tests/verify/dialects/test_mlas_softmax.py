"""QLinearSoftmax of ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.dialects import installed

from kdq_ref.verify.dialects.mlas_softmax import exponential_table, softmax
from kdq_ref.verify.network import Encoding, Network, Node

_OUTPUT = Encoding("uint8", 1 / 256, 0)


@given(st.floats(2.0**-10, 2.0, width=32), st.integers(1, 1000))
def test_the_table_falls_and_its_sum_fits(scale: float, classes: int) -> None:
    """By exp(-scale) from entry to entry; the sum of as many as there are classes is finite."""
    table = exponential_table(scale, classes)
    assert np.isfinite(np.float32(table[0] * np.float32(classes)))
    normal = table[table > 1e-30].astype(np.float64)
    np.testing.assert_allclose(normal[1:] / normal[:-1], np.exp(-scale), rtol=1e-6)


def test_probabilities() -> None:
    """Two equal logits are 128 each; one that takes everything saturates; int8 is moved by 128."""
    source = Encoding("uint8", 0.5, 0)
    assert softmax(np.array([[9, 9]], np.uint8), source, _OUTPUT).tolist() == [[128, 128]]
    codes = np.array([[255, 0]], np.uint8)
    assert softmax(codes, source, _OUTPUT).tolist() == [[255, 0]]
    signed = softmax(
        np.array([[127, -128]], np.int8),
        Encoding("int8", 0.5, -128),
        Encoding("int8", 1 / 256, -128),
    )
    assert signed.tolist() == [[127, -128]]


@given(st.integers(0, 2**32 - 1))
def test_it_is_softmax(seed: int) -> None:
    """Within a code of the real function, for any number of classes."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (5, int(rng.integers(2, 50)))).astype(np.uint8)
    reals = 0.1 * codes.astype(np.float64)
    exact = np.exp(reals - reals.max(1, keepdims=True))
    exact = np.minimum(256 * exact / exact.sum(1, keepdims=True), 255)
    got = softmax(codes, Encoding("uint8", 0.1, 0), _OUTPUT)
    assert np.abs(got - exact).max() <= 0.51


@pytest.mark.parametrize(("dtype", "zero_point", "result"), [("uint8", 0, 0), ("int8", -128, 127)])
def test_a_single_class_overflows(dtype: str, zero_point: int, result: int) -> None:
    """Its probability is 1, but float32 overflows: uint8 says 0. The runtime itself says so."""
    output = Encoding(dtype, 1 / 256, zero_point)
    node = Node("y", "softmax", ("x",), output)
    network = Network({"x": Encoding(dtype, 0.1)}, {"x": (1,)}, (node,), "y")
    codes = np.array([[3], [100]], dtype)
    assert softmax(codes, network.inputs["x"], output).tolist() == [[result]] * 2
    answer = installed("onnxruntime").run(network, {"x": codes})["y"]
    assert answer.tolist() == [[result]] * 2
