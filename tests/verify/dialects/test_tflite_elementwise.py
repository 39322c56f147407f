"""Element by element as TensorFlow Lite's kernels compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialects import tflite_elementwise as elementwise
from kdq_ref.verify.network import Encoding, Network, Node

_ONE = Encoding("int8", 1.0, 0)


def _binary(operator: str, a: Encoding, b: Encoding, end: Encoding) -> Network:
    node = Node("y", operator, ("a", "b"), end)
    return Network({"a": a, "b": b}, {"a": (1,), "b": (1,)}, (node,), "y")


def _unary(operator: str, start: Encoding, end: Encoding, **fields: Any) -> Network:
    return Network({"x": start}, {"x": (1,)}, (Node("y", operator, ("x",), end, **fields),), "y")


def _codes(*values: int) -> np.ndarray:
    return np.array([values], np.int8)


@given(st.integers(0, 70), st.sampled_from([8, 16]))
def test_blocks_end_where_a_vector_would_not_fit(size: int, lanes: int) -> None:
    """Counted over the flat array, whatever its shape."""
    taken = elementwise.in_blocks(np.ones((1, size)), np.zeros((1, size)), lanes)
    assert taken.sum() == size // lanes * lanes
    assert taken[0, : size // lanes * lanes].all()


@pytest.mark.parametrize("kernel", [elementwise.add, elementwise.add_with_vectors])
def test_sums(kernel: Any) -> None:
    """2 * 3 + 0.5 * (4 - 2) = 7, in halves 14; a tie goes away from zero."""
    network = _binary(
        "add", Encoding("int8", 2.0, 0), Encoding("int8", 0.5, 2), Encoding("int8", 0.5, 0)
    )
    a, b = np.full((1, 20), 3, np.int8), np.full((1, 20), 4, np.int8)
    assert set(kernel(network, network.nodes[0], (a, b)).ravel()) == {14}
    coarse = _binary("add", _ONE, _ONE, Encoding("int8", 2.0, 0))
    signs = np.array([[1, -1] * 9], np.int8)
    result = kernel(coarse, coarse.nodes[0], (signs, 0 * signs))
    np.testing.assert_array_equal(result, signs)


def test_a_sum_beyond_int16_wraps_in_vectors() -> None:
    """100 + 100 in steps of 1/256 is 51,200: clamped by the loop, negative in a vector."""
    network = _binary("add", _ONE, _ONE, Encoding("int8", 1 / 256, 0))
    codes = np.full((1, 17), 100, np.int8)
    result = elementwise.add_with_vectors(network, network.nodes[0], (codes, codes))
    assert result.tolist() == [[-128] * 16 + [127]]
    assert set(elementwise.add(network, network.nodes[0], (codes, codes)).ravel()) == {127}


def test_products() -> None:
    """Ties away from zero; a vector saturates to int16, and then the zero point wraps it."""
    quarters = _binary("mul", _ONE, _ONE, Encoding("int8", 4.0, 0))
    for kernel in (elementwise.mul, elementwise.mul_in_float64, elementwise.mul_with_vectors):
        result = kernel(quarters, quarters.nodes[0], (_codes(1, -1, 3, -3), _codes(2, 2, 2, 2)))
        assert result.tolist() == [[1, -1, 2, -2]]
    large = _binary("mul", _ONE, _ONE, Encoding("int8", 1 / 256, 1))
    codes = np.full((1, 17), 100, np.int8)
    result = elementwise.mul_with_vectors(large, large.nodes[0], (codes, codes))
    assert result.tolist() == [[-128] * 16 + [127]]


def test_the_multiplier_of_a_product_is_float32_or_float64() -> None:
    """LiteRT and TensorFlow Lite Micro differ by one in a few of a million products."""
    rng = np.random.default_rng(2)
    pairs = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128))
    codes = tuple(part.astype(np.int8) for part in pairs)
    differ = 0
    for _ in range(40):
        a, b, y = (Encoding("int8", float(np.float32(s)), 0) for s in rng.uniform(0.02, 0.1, 3))
        network = _binary("mul", a, b, Encoding("int8", float(np.float32(y.scale * 4)), 0))
        first = elementwise.mul(network, network.nodes[0], codes).astype(int)
        second = elementwise.mul_in_float64(network, network.nodes[0], codes).astype(int)
        assert np.abs(first - second).max() <= 1
        differ += int((first != second).sum())
    assert differ


def test_changes_of_encoding() -> None:
    """-2 / 4 is -1 away from zero; in a vector it is 0."""
    end = Encoding("int8", 4.0, 10)
    codes = np.full((1, 17), -2, np.int8)
    assert set(elementwise.requantized(codes, _ONE, end).ravel()) == {9}
    assert elementwise.requantized_with_vectors(codes, _ONE, end).tolist() == [[10] * 16 + [9]]


def test_quantizing_reals() -> None:
    """Halves: away from zero, in vectors to even; what is beyond int32 is the smallest code."""
    values = np.full((1, 9), 0.5, np.float32)
    assert set(elementwise.quantized(values, _ONE).ravel()) == {1}
    assert elementwise.quantized_with_vectors(values, _ONE).tolist() == [[0] * 8 + [1]]
    far = np.full((1, 9), 3e9, np.float32)
    assert set(elementwise.quantized(far, _ONE).ravel()) == {-128}
    assert set(elementwise.quantized_with_vectors(far, _ONE).ravel()) == {-128}


def test_dequantizing() -> None:
    """A vector multiplies the code and then takes the zero point away, each rounded."""
    start = Encoding("int8", float(np.float32(0.1)), -7)
    codes = np.arange(-128, 127).astype(np.int8)[None]
    exact = (start.scale * (codes.astype(int) + 7)).astype(np.float32)
    np.testing.assert_array_equal(elementwise.dequantized(codes, start), exact)
    vectors = elementwise.dequantized_with_vectors(codes, start)
    np.testing.assert_allclose(vectors, exact, atol=1e-6)
    assert (vectors[0, :248] != exact[0, :248]).any()
    np.testing.assert_array_equal(vectors[0, 248:], exact[0, 248:])


def test_relu_rescales_and_one_does_not() -> None:
    """-4, 5 and 20 in halves; TensorFlow Lite Micro's RELU6 copies codes."""
    network = _unary("relu6", Encoding("int8", 1.0, 2), Encoding("int8", 0.5, -3))
    codes = _codes(-2, 7, 22)
    assert elementwise.relu(network, network.nodes[0], (codes,)).tolist() == [[-3, 7, 9]]
    assert elementwise.relu_of_codes(network, network.nodes[0], (codes,)).tolist() == [[2, 7, 8]]


def test_the_quotient_of_relu_is_float32_or_float64() -> None:
    """LiteRT and TensorFlow Lite Micro differ by one in a few of a million codes."""
    rng = np.random.default_rng(0)
    codes = np.arange(-128, 128).astype(np.int8)[None]
    differ = 0
    for _ in range(8000):
        a, b = (float(np.float32(scale)) for scale in rng.uniform(0.01, 0.1, 2))
        network = _unary("relu", Encoding("int8", a, 0), Encoding("int8", b, -128))
        first = elementwise.relu(network, network.nodes[0], (codes,)).astype(int)
        second = elementwise.relu_in_float64(network, network.nodes[0], (codes,)).astype(int)
        assert np.abs(first - second).max() <= 1
        differ += int((first != second).sum())
    assert differ


def test_clips_of_tensorflow_lite_micro() -> None:
    """RELU, RELU6, and nothing else."""
    run = elementwise.clip_of_codes
    for clamp, expected in {(0.0, 6.0): [0, 6], (0.0, np.inf): [0, 50]}.items():
        network = _unary("clip", _ONE, _ONE, clamp=clamp)
        assert run(network, network.nodes[0], (_codes(-5, 50),)).tolist() == [expected]
    network = _unary("clip", _ONE, _ONE, clamp=(0.0, 1.0))
    with pytest.raises(UnsupportedError, match="has RELU and RELU6 only"):
        run(network, network.nodes[0], (_codes(1),))


def test_quantize_takes_reals_and_codes() -> None:
    """Each its own way; dequantize gives reals."""
    operator = elementwise.quantize(elementwise.quantized, elementwise.requantized)
    network = _unary("quantize", Encoding("float32"), Encoding("int8", 0.5, 1))
    assert operator(network, network.nodes[0], (np.array([[2.0]], np.float32),)).tolist() == [[5]]
    network = _unary("quantize", _ONE, Encoding("int8", 0.5, 1))
    assert operator(network, network.nodes[0], (_codes(2),)).tolist() == [[5]]
    back = elementwise.dequantize(elementwise.dequantized)
    network = _unary("dequantize", Encoding("int8", 0.5, 1), Encoding("float32"))
    assert back(network, network.nodes[0], (_codes(5),)).tolist() == [[2.0]]
