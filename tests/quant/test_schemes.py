"""Scales, zero points, and integers from real weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kdq_ref import intref
from kdq_ref.errors import (
    AccumulatorOverflowError,
    InvalidArgumentError,
    NotFiniteError,
    RangeError,
)
from kdq_ref.quant.schemes import (
    QuantParams,
    choose_activation_params,
    quantize_bias,
    quantize_weights,
    weight_scales,
)

_TINY = float(np.finfo(np.float32).tiny)
_ENDS = st.one_of(
    st.floats(-(2.0**126), 2.0**126),
    st.floats(-10, 10, width=32),
    st.sampled_from([0.0, -1.0, 1.0, 5e-324, -1e-45, 1e-38, 255.0]),
)


def _weights(min_side: int = 1) -> st.SearchStrategy[np.ndarray]:
    shapes = hnp.array_shapes(min_dims=2, max_dims=4, min_side=min_side, max_side=4)
    values = st.one_of(st.floats(-4, 4, width=32), st.sampled_from([0.0, 1e-30, 1e30, 0.5]))
    return hnp.arrays(np.float32, shapes, elements=values)


@given(_ENDS, _ENDS)
def test_any_range_is_covered_and_contains_zero(a: float, b: float) -> None:
    """Zero is exact, and both ends are within half a step of a representable value."""
    lo, hi = min(a, b), max(a, b)
    params = choose_activation_params(lo, hi)
    keywords = {"scale": params.scale, "zero_point": params.zero_point}
    assert intref.quantize(np.zeros(1, np.float32), **keywords)[0] == params.zero_point
    # Half a step from rounding the zero point, 255 steps of half an ulp from rounding the scale.
    slack = params.scale * (0.5 + 255 * 2.0**-23)
    assert params.scale * (-128 - params.zero_point) <= min(lo, 0) + slack
    assert params.scale * (127 - params.zero_point) >= max(hi, 0) - slack


@given(_ENDS, _ENDS)
def test_scales_are_normal_float32(a: float, b: float) -> None:
    """Whatever the range, every runtime can hold the scale."""
    scale = choose_activation_params(min(a, b), max(a, b)).scale
    assert float(np.float32(scale)) == scale
    assert scale >= _TINY


@pytest.mark.parametrize(
    ("lo", "hi", "scale", "zero_point"),
    [
        (0.0, 0.0, 1.0, 0),  # a dead value
        (0.0, 255.0, 1.0, -128),  # ReLU: zero at the lower end
        (-255.0, 0.0, 1.0, 127),
        (3.0, 255.0, 1.0, -128),  # widened to contain zero
        (-255.0, -3.0, 1.0, 127),
        (-127.5, 127.5, 1.0, 0),  # a tie: -0.5 goes to the even 0
        (-1.0, 254.0, 1.0, -127),
        (0.0, 1e-44, _TINY, -128),  # too narrow for a normal scale
    ],
)
def test_parameters_of_known_ranges(lo: float, hi: float, scale: float, zero_point: int) -> None:
    """Values worked out by hand."""
    assert choose_activation_params(lo, hi) == QuantParams(scale, zero_point)


def test_a_scale_is_not_finer_than_asked() -> None:
    """Narrow and dead ranges get the floor, wide ones do not notice."""
    assert choose_activation_params(0.0, 1.0, finest=0.5) == QuantParams(0.5, -128)
    assert choose_activation_params(-1.0, 0.0, finest=0.5) == QuantParams(0.5, -126)
    assert choose_activation_params(0.0, 0.0, finest=2.0) == QuantParams(2.0, 0)
    assert choose_activation_params(0.0, 255.0, finest=0.5) == QuantParams(1.0, -128)


def test_impossible_ranges_are_refused() -> None:
    """NaN, infinity, ends in the wrong order, a width beyond float32."""
    for bad in ((np.nan, 1.0), (0.0, np.inf), (-np.inf, 0.0)):
        with pytest.raises(NotFiniteError):
            choose_activation_params(*bad)
    with pytest.raises(RangeError, match="lo <= hi"):
        choose_activation_params(1.0, 0.0)
    with pytest.raises(RangeError, match="width"):
        choose_activation_params(-3e38, 3e38)


@pytest.mark.parametrize(
    ("scale", "zero_point"),
    [(0.0, 0), (-1.0, 0), (np.nan, 0), (np.inf, 0), (1e-40, 0), (0.1, 0), (1.0, 128), (1.0, -129)],
)
def test_impossible_parameters_are_refused(scale: float, zero_point: int) -> None:
    """A scale is a positive normal float32 (0.1 is none), a zero point an int8."""
    with pytest.raises(RangeError):
        QuantParams(scale, zero_point)


@given(_weights(), st.sampled_from(["per_channel", "per_tensor"]))
def test_weights_are_within_half_a_step(w: np.ndarray, granularity: str) -> None:
    """The largest weight is +-127, none is -128, and every error is at most half a step."""
    scales = weight_scales(w, granularity)
    codes = quantize_weights(w, scales)
    assert codes.min() >= -127
    assert scales.shape == ((w.shape[-1],) if granularity == "per_channel" else (1,))
    step = scales.astype(np.float64)
    assert (np.abs(codes * step - w) <= step * (0.5 + 2.0**-16)).all()
    largest = np.abs(codes.reshape(-1, w.shape[-1])).max(axis=0)
    channel_max = np.abs(w.reshape(-1, w.shape[-1])).max(axis=0)
    full = channel_max > 127 * _TINY
    if granularity == "per_channel":
        assert (largest[full] == 127).all()
    else:
        assert largest.max() == 127 or not full.any()


def test_weights_beyond_their_scale_saturate() -> None:
    """At +-127, since -128 is never a weight; also where the quotient leaves float32."""
    w = np.array([[-10, 10, -1.275, 3e38]], np.float32)
    codes = quantize_weights(w, np.array([0.01, 0.01, 0.01, 1e-38], np.float32))
    assert codes.tolist() == [[-127, 127, -127, 127]]


def test_zero_weights_have_scale_one() -> None:
    """A channel of zeros has the documented scale, unless its bias asks for another."""
    w = np.zeros((3, 2), np.float32)
    w[:, 1] = 1.27
    expected = np.array([1, 0.01], np.float32)
    np.testing.assert_array_equal(weight_scales(w, "per_channel"), expected)
    bias = np.array([2.0, 0.0], np.float32)
    scales = weight_scales(w, "per_channel", bias=bias, input_scale=0.5)
    np.testing.assert_array_equal(scales, np.array([2.0**-28, 0.01], np.float32))
    assert quantize_bias(bias, 0.5, scales).tolist() == [2**30, 0]


@given(_weights(), st.data())
def test_chosen_scales_keep_every_bias(w: np.ndarray, data: st.DataObject) -> None:
    """With the scales chosen for it no bias overflows, and its error is at most half a step."""
    values = st.one_of(st.floats(-4, 4, width=32), st.sampled_from([0.0, 1e20, -1e-20]))
    bias = data.draw(hnp.arrays(np.float32, w.shape[-1], elements=values))
    input_scale = data.draw(st.sampled_from([1e-6, 0.01, 1.0, 1e4]))
    granularity = data.draw(st.sampled_from(["per_channel", "per_tensor"]))
    scales = weight_scales(w, granularity, bias=bias, input_scale=input_scale)
    codes = quantize_bias(bias, input_scale, scales)
    step = input_scale * scales.astype(np.float64)
    assert (np.abs(codes * step - bias) <= step * (0.5 + 2.0**-20)).all()


def test_a_bias_that_does_not_fit_names_a_scale_that_does() -> None:
    """The error says which channel, and the scale it states works."""
    bias = np.array([0.0, 1e6], np.float32)
    with pytest.raises(AccumulatorOverflowError, match=r"channel 1: .* scale of 0.09313 would fit"):
        quantize_bias(bias, 0.01, np.array([1e-8], np.float32))
    assert quantize_bias(bias, 0.01, np.array([0.09313], np.float32))[1] > 2**29


def test_bad_weights_are_refused() -> None:
    """NaN in weights or bias, or a granularity nobody knows."""
    w = np.ones((2, 2), np.float32)
    with pytest.raises(InvalidArgumentError, match="per_channel, per_tensor"):
        weight_scales(w, "per_row")
    with pytest.raises(NotFiniteError):
        weight_scales(w, "per_channel", bias=np.array([np.nan, 0]))
    w[0, 1] = np.inf
    with pytest.raises(NotFiniteError):
        weight_scales(w, "per_channel")
    with pytest.raises(NotFiniteError):
        quantize_weights(w, np.ones(1, np.float32))
