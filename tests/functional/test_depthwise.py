"""Depthwise convolution against grouped convolution, and its gradients."""

from __future__ import annotations

import numpy as np
from gradients import assert_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from strategies.layers import generators, geometries

from kdq_ref import functional


@given(generators, geometries(max_padding=4), st.integers(1, 3), st.integers(1, 3))
def test_equals_a_convolution_with_one_channel_per_group(rng, geometry, channels, multiplier):
    """Output channel c * m + r reads input channel c, which is what groups = C means."""
    x = rng.standard_normal((2, *geometry.size, channels))
    w = rng.standard_normal((*geometry.kernel, 1, channels * multiplier))
    b = rng.standard_normal(channels * multiplier)
    keywords = {
        "stride": geometry.stride,
        "padding": geometry.padding,
        "dilation": geometry.dilation,
    }
    y, _ = functional.depthwise_conv2d_forward(x, w, b, **keywords)
    expected, _ = functional.conv2d_forward(x, w, b, **keywords, groups=channels)
    assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=30)
@given(generators, geometries(max_padding=4, room=2), st.integers(1, 3), st.integers(1, 3))
def test_gradients(rng, geometry, channels, multiplier):
    """dx, dw and db for a random upstream gradient."""
    x = rng.standard_normal((2, *geometry.size, channels))
    w = rng.standard_normal((*geometry.kernel, 1, channels * multiplier))
    b = rng.standard_normal(channels * multiplier)

    def forward() -> tuple:
        return functional.depthwise_conv2d_forward(
            x,
            w,
            b,
            stride=geometry.stride,
            padding=geometry.padding,
            dilation=geometry.dilation,
        )

    y, cache = forward()
    dy = rng.standard_normal(y.shape)
    dx, dw, db = functional.depthwise_conv2d_backward(dy, cache)

    def loss() -> float:
        return float(np.sum(forward()[0] * dy))

    assert_gradients(loss, {"x": x, "w": w, "b": b}, {"x": dx, "w": dw, "b": db})


def test_what_is_not_asked_for_is_not_computed():
    """No bias: no db. No input gradient: no dx. And float32 stays float32."""
    x, w = np.ones((1, 3, 3, 2), np.float32), np.ones((2, 2, 1, 4), np.float32)
    y, cache = functional.depthwise_conv2d_forward(x, w)
    dx, dw, db = functional.depthwise_conv2d_backward(y, cache, input_gradient=False)
    assert dx is None
    assert db is None
    assert y.dtype == dw.dtype == np.float32
