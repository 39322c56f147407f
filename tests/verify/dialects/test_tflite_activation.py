"""Activation functions as TensorFlow Lite computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialects import tflite_activation as activation
from kdq_ref.verify.dialects.libm import tanhf
from kdq_ref.verify.network import Encoding, Network, Node

_CODES = np.arange(-128, 128).astype(np.int8)[None]
_PROBABILITY = Encoding("int8", 1 / 256, -128)
scales = st.floats(2.0**-9, 2.0**-2, width=32)


def _run(operator: Any, start: Encoding, end: Encoding, codes: np.ndarray = _CODES) -> np.ndarray:
    node = Node("y", "f", ("x",), end)
    network = Network.__new__(Network)
    object.__setattr__(network, "encodings", {"x": start, "y": end})
    return operator(network, node, (codes,))


def _reals(start: Encoding) -> np.ndarray:
    return start.scale * (_CODES[0].astype(float) - start.zero_point)


@given(scales, st.integers(-128, 127))
def test_tables_and_fixed_point_are_near_the_functions(scale: float, zero_point: int) -> None:
    """A table to one half, fixed point to a little more."""
    start = Encoding("int8", scale, zero_point)
    sigmoid = np.clip(256 / (1 + np.exp(-_reals(start))) - 128, -128, 127)
    tanh = np.clip(128 * np.tanh(_reals(start)), -128, 127)
    table = _run(activation.by_table(activation.sigmoid), start, _PROBABILITY)
    assert np.abs(table - sigmoid).max() < 0.5001
    assert np.abs(_run(activation.fixed_point_sigmoid, start, _PROBABILITY) - sigmoid).max() < 0.51
    end = Encoding("int8", 1 / 128, 0)
    assert np.abs(_run(activation.by_table(tanhf), start, end) - tanh).max() < 0.5001
    assert np.abs(_run(activation.fixed_point_tanh, start, end) - tanh).max() < 0.51


def test_a_table_rounds_before_the_zero_point_is_added() -> None:
    """Half of a step, away from zero, at any zero point."""
    start = Encoding("int8", 1.0, 0)
    for zero_point in (0, 1):
        end = Encoding("int8", 2.0, zero_point)
        table = activation.function_table(lambda x: x, start, end)
        assert table[128 + np.array([-3, -1, 1, 3])].tolist() == [
            value + zero_point for value in (-2, -1, 1, 2)
        ]


def test_fixed_point_does_not_look_at_the_outputs_scale() -> None:
    """Sigmoid checks its zero point, tanh nothing."""
    start = Encoding("int8", 0.05, 4)
    usual = _run(activation.fixed_point_tanh, start, Encoding("int8", 1 / 128, 0))
    other = _run(activation.fixed_point_tanh, start, Encoding("int8", 0.3, 9))
    np.testing.assert_array_equal(usual, other)
    with pytest.raises(UnsupportedError, match="zero point -128, not 0"):
        _run(activation.fixed_point_sigmoid, start, Encoding("int8", 1 / 256, 0))


def test_fixed_point_saturates_beyond_its_radius() -> None:
    """Scales so large that a step is the whole range: at the zero point, below first."""
    result = _run(activation.fixed_point_tanh, Encoding("int8", 16.0, 3), Encoding("int8", 1.0, 0))
    assert result[0].tolist() == [-128] * 132 + [127] * 124


@given(scales, st.integers(-20, 20))
def test_hard_swish_is_near_the_function(scale: float, zero_point: int) -> None:
    """In its own resolution: to a step and a half."""
    start = Encoding("int8", scale, zero_point)
    x = _reals(start)
    exact = x * np.clip(x + 3, 0, 6) / 6
    end = Encoding("int8", float(np.float32(max(np.abs(exact).max(), 0.5) / 120)), -3)
    for kernel in (activation.hard_swish, activation.hard_swish_in_float64):
        assert np.abs(_run(kernel, start, end) - (exact / end.scale - 3)).max() < 1.5


def test_multipliers_of_hard_swish_are_float32_or_float64() -> None:
    """20676 or 20675 of 2**15, where LiteRT and TensorFlow Lite Micro differ in one code."""
    start = Encoding("int8", float(np.float32(0.20219402)), -128)
    end = Encoding("int8", float(np.float32(0.04005643)), -60)
    first = _run(activation.hard_swish, start, end)
    second = _run(activation.hard_swish_in_float64, start, end)
    assert np.flatnonzero(first != second).size == 1
    assert int((first.astype(int) - second).max()) == 1


def test_hard_swish_of_a_coarse_output_is_minus_one_or_zero() -> None:
    """From a shift of 16 on, gemmlowp's mask of int16 is -1, and positive values round up to 1."""
    end = Encoding("int8", 2.0**7, 0)
    result = _run(activation.hard_swish, Encoding("int8", 2.0**-12, 0), end)
    assert set(result.ravel()) <= {-1, 0, 1}
    assert result[0, -1] == 1
    with pytest.raises(UnsupportedError, match="below 1/128"):
        _run(activation.hard_swish, Encoding("int8", 1.0, 0), Encoding("int8", 2.0**-9, 0))


@given(scales, st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_softmax_is_near_the_function(scale: float, classes: int, seed: int) -> None:
    """Both kernels, to a step; they differ from each other by one at most."""
    start = Encoding("int8", scale, 5)
    codes = np.random.default_rng(seed).integers(-128, 128, (7, classes)).astype(np.int8)
    powers = np.exp(scale * (codes.astype(float) - codes.max(axis=1, keepdims=True)))
    exact = np.minimum(256 * powers / powers.sum(axis=1, keepdims=True) - 128, 127)
    for kernel in (activation.fixed_point_softmax, activation.float_softmax):
        assert np.abs(_run(kernel, start, _PROBABILITY, codes) - exact).max() < 0.6


def test_what_is_far_below_the_maximum_counts_as_nothing() -> None:
    """The smallest code in fixed point, whatever the scale; one class is certain."""
    for scale in (0.25, 2.0, 100.0):
        start = Encoding("int8", scale, 0)
        codes = np.array([[127, -128], [127, 127]], np.int8)
        result = _run(activation.fixed_point_softmax, start, _PROBABILITY, codes)
        assert result.tolist() == [[127, -128], [0, 0]]
    with pytest.raises(UnsupportedError, match="zero point -128"):
        _run(activation.fixed_point_softmax, start, Encoding("int8", 1 / 256, 0), codes)


def test_softmax_that_would_end_the_process_is_refused() -> None:
    """512 equal codes, or a scale of 2**-26; the optimized kernel takes both."""
    start = Encoding("int8", 0.5, 0)
    for classes, refused in ((511, False), (512, True)):
        codes = np.zeros((2, classes), np.int8)
        codes[0, 0] = 127
        assert _run(activation.float_softmax, start, _PROBABILITY, codes)[1, 0] == -127
        if refused:
            with pytest.raises(UnsupportedError, match="sum of exponentials reaches 512"):
                _run(activation.fixed_point_softmax, start, _PROBABILITY, codes)
        else:
            assert _run(activation.fixed_point_softmax, start, _PROBABILITY, codes)[1, 0] == -127
    with pytest.raises(UnsupportedError, match=r"where the scale is 2\*\*-26 or less"):
        _run(activation.fixed_point_softmax, Encoding("int8", 2.0**-26, 0), _PROBABILITY)
