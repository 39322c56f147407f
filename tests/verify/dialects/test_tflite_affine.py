"""Dense layers and convolutions of TensorFlow Lite's kernels."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import dense_network

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialects import tflite_affine
from kdq_ref.verify.dialects.tflite_arithmetic import DOUBLE, TIES_UP, quantized_multiplier
from kdq_ref.verify.dialects.tflite_elementwise import relu
from kdq_ref.verify.network import Encoding, Network, Node


def _run(operator: object, network: Network, codes: list[list[int]], dtype: str = "int8") -> list:
    return operator(network, network.nodes[0], (np.array(codes, dtype),)).tolist()  # type: ignore


def test_ties() -> None:
    """acc / 4 of 2, 6, -2, -6: away from zero, or up."""
    network = dense_network([[1]], scale=0.25)
    codes = [[2], [6], [-2], [-6]]
    assert _run(tflite_affine.fixed_point(DOUBLE), network, codes) == [[1], [2], [-1], [-2]]
    assert _run(tflite_affine.fixed_point(TIES_UP), network, codes) == [[1], [2], [0], [-1]]
    assert _run(tflite_affine.dense_in_float64, network, codes) == [[1], [2], [-1], [-2]]


def test_float64_rounds_once() -> None:
    """Where two roundings differ: tensorflow #25087."""
    scale = float(np.float32(0.0014402703931141053))
    network = dense_network([[0]], scale=scale, bias=np.array([7984], np.int32))
    assert _run(tflite_affine.fixed_point(DOUBLE), network, [[0]]) == [[12]]
    assert _run(tflite_affine.dense_in_float64, network, [[0]]) == [[11]]


def test_a_result_beyond_int32_becomes_the_smallest_code() -> None:
    """In float64 only; a fixed-point kernel shifts the bits out."""
    network = dense_network([[0]], scale=2.0**12, bias=np.array([2**20], np.int32))
    assert _run(tflite_affine.dense_in_float64, network, [[0]]) == [[-128]]
    assert _run(tflite_affine.fixed_point(DOUBLE), network, [[0]]) == [[0]]


def test_the_product_of_scales_is_rounded_per_tensor_only() -> None:
    """To float32, before it is divided by the output's scale."""
    start, end = Encoding("int8", float(np.float32(0.1))), Encoding("int8", float(np.float32(0.3)))
    scales = np.array([0.7], np.float32)
    product = float(np.float32(0.1) * np.float32(0.7))
    rounded = tflite_affine.float32_product_multiplier(start, scales, end)
    assert rounded.multiplier == quantized_multiplier(product / end.scale).multiplier
    exact = tflite_affine.float32_product_multiplier(start, np.repeat(scales, 2), end)
    real = start.scale * float(scales[0]) / end.scale
    assert exact.multiplier[0] == quantized_multiplier(real).multiplier[0]
    assert rounded.multiplier[0] != exact.multiplier[0]


@pytest.mark.parametrize("channels", [1, 7, 8, 9, 17])
def test_only_whole_blocks_are_vectors(channels: int) -> None:
    """The last channels take the other rule."""
    scaling = tflite_affine.split_by_channels(TIES_UP, DOUBLE, 8)
    acc = np.full((2, channels), -2)
    result = scaling(acc, quantized_multiplier(np.full(channels, 0.25)))
    whole = channels // 8 * 8
    assert result.tolist() == [[0] * whole + [-1] * (channels - whole)] * 2


def test_int16_sums_in_int64() -> None:
    """A bias of 2**40, and a mantissa of 15 bits."""
    wide = Encoding("int16", 1.0, 0)
    network = dense_network(
        [[1]], scale=2.0**-30, source=wide, output=wide, bias=np.array([2**40], np.int64)
    )
    kernel = tflite_affine.fixed_point(DOUBLE)
    assert _run(kernel, network, [[5]], "int16") == [[1024]]
    assert _run(tflite_affine.dense_in_float64, network, [[5]], "int16") == [[1024]]
    large = dense_network([[1]], scale=2.0**15, source=wide, output=wide)
    with pytest.raises(UnsupportedError, match="by a negative amount"):
        _run(kernel, large, [[5]], "int16")


def test_int16_is_refused_where_it_was_not_compared() -> None:
    """A ReLU of int16 is; a dense layer is not."""
    operators = tflite_affine.with_int16_refused(
        {"relu": relu, "dense": tflite_affine.fixed_point(DOUBLE)}
    )
    wide = Encoding("int16", 1.0, 0)
    assert _run(operators["dense"], dense_network([[2]], source=wide, output=wide), [[3]]) == [[6]]
    network = Network({"x": wide}, {"x": (1,)}, (Node("y", "relu", ("x",), wide),), "y")
    with pytest.raises(UnsupportedError, match="relu of int16 is not described"):
        _run(operators["relu"], network, [[3]], "int16")
    narrow = Encoding("int8", 1.0, 0)
    network = Network({"x": narrow}, {"x": (1,)}, (Node("y", "relu", ("x",), narrow),), "y")
    assert _run(operators["relu"], network, [[-3]]) == [[0]]
