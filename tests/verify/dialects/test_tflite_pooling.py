"""Pooling as TensorFlow Lite's kernels compute it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.verify.dialects import tflite_pooling as pooling
from kdq_ref.verify.dialects import xnnpack
from kdq_ref.verify.dialects.tflite_arithmetic import activation_limits
from kdq_ref.verify.dialects.tflite_elementwise import requantized
from kdq_ref.verify.network import Encoding, Network, Node

_START = Encoding("int8", 0.5, 3)


def _network(operator: str, output: Encoding, shape: tuple[int, ...], **fields: Any) -> Network:
    node = Node("y", operator, ("x",), output, **fields)
    return Network({"x": _START}, {"x": shape}, (node,), "y")


def _image(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.int8)[None, :, :, None]


@given(st.lists(st.integers(-128, 127), min_size=4, max_size=4))
def test_an_average_is_of_codes_half_away_from_zero(codes: list[int]) -> None:
    """Not of reals: with another zero point a tie goes another way."""
    network = _network("avg_pool2d", _START, (2, 2, 1), kernel=(2, 2))
    result = pooling.avg_pool2d(network, network.nodes[0], (_image(codes[:2], codes[2:]),))
    total = sum(codes)
    expected = (abs(total) + 2) // 4
    assert result.item() == (expected if total > 0 else -expected)


def test_padding_does_not_count() -> None:
    """The corner of a 3x3 window averages four codes; a maximum there is of four, too."""
    fields = {"kernel": (3, 3), "padding": (1, 1, 1, 1)}
    image = _image([-8, -7], [-6, -5])
    average = _network("avg_pool2d", _START, (2, 2, 1), **fields)
    assert set(pooling.avg_pool2d(average, average.nodes[0], (image,)).ravel()) == {-7}
    largest = _network("max_pool2d", _START, (2, 2, 1), **fields)
    kernel = pooling.max_pool2d(activation_limits)
    assert set(kernel(largest, largest.nodes[0], (image,)).ravel()) == {-5}


def test_a_fused_clamp_is_in_the_inputs_encoding() -> None:
    """Real 0 to 6 are the codes 3 to 15; what a bound is rounded to, the kernel says."""
    network = _network("max_pool2d", _START, (1, 2, 1), clamp=(0.0, 6.0))
    kernel = pooling.max_pool2d(activation_limits)
    result = kernel(network, network.nodes[0], (_image([-9, 99]),))
    assert result.ravel().tolist() == [3, 15]
    coarse = Encoding("int8", 4.0, 1)
    node = Node("y", "max_pool2d", ("x",), coarse, clamp=(0.0, 6.0))
    network = Network({"x": coarse}, {"x": (1, 2, 1)}, (node,), "y")
    for limits, last in ((activation_limits, 3), (xnnpack.limits, 2)):
        result = pooling.max_pool2d(limits)(network, node, (_image([-9, 99]),))
        assert result.ravel().tolist() == [1, last]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_a_mean_is_near_the_real_one(height: int, width: int, seed: int) -> None:
    """To three quarters: of two positions, the first rounding is already to a half."""
    rng = np.random.default_rng(seed)
    output = Encoding("int8", 0.75, -20)
    x = rng.integers(-100, 100, (3, height, width, 5)).astype(np.int8)
    network = _network("global_avg_pool", output, x.shape[1:])
    result = pooling.global_avg_pool(network, network.nodes[0], (x,))
    exact = (x.astype(float).mean(axis=(1, 2)) - 3) * (0.5 / 0.75) - 20
    assert result.shape == (3, 5)
    assert np.abs(result - exact).max() < 0.751


def test_the_mantissa_of_a_mean_is_cut() -> None:
    """2**30 over 3 is cut, and so a sum of 3 * 2**k falls just short of a tie."""
    network = _network("global_avg_pool", Encoding("int8", 1.0, 0), (3, 1, 1))
    x = np.array([4, 4, 4], np.int8).reshape(1, 3, 1, 1)  # real 0.5 in steps of 1.0
    assert pooling.global_avg_pool(network, network.nodes[0], (x,)).item() in (0, 1)
    mantissa = (2**30 << 1) // 3
    high = (3 * mantissa + 2**30) >> 31
    assert pooling.global_avg_pool(network, network.nodes[0], (x,)).item() == (high + 1) // 2


@pytest.mark.parametrize("operator", ["max_pool2d", "avg_pool2d", "flatten"])
def test_another_encoding_is_a_change_behind(operator: str) -> None:
    """Equal encodings keep the codes."""
    end = Encoding("int8", 0.25, -10)
    rng = np.random.default_rng(1)
    x = rng.integers(-50, 20, (2, 3, 3, 2)).astype(np.int8)
    operators = pooling.keeping(requantized)
    kept = _network(operator, _START, (3, 3, 2))
    changed = _network(operator, end, (3, 3, 2))
    codes = operators[operator](kept, kept.nodes[0], (x,))
    np.testing.assert_array_equal(codes.ravel(), x.ravel())
    np.testing.assert_array_equal(
        operators[operator](changed, changed.nodes[0], (x,)), requantized(codes, _START, end)
    )


def test_a_concatenation_changes_what_differs_before() -> None:
    """Real 1.0 is code 5 in one encoding and -6 in the other."""
    end = Encoding("int8", 0.25, -10)
    node = Node("y", "concat", ("a", "b"), end)
    network = Network({"a": _START, "b": end}, {"a": (1,), "b": (1,)}, (node,), "y")
    parts = np.array([[5]], np.int8), np.array([[-6]], np.int8)
    result = pooling.keeping(requantized)["concat"](network, node, parts)
    assert result.tolist() == [[-6, -6]]
