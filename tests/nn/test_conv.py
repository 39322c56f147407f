"""Convolution layers."""

from __future__ import annotations

import numpy as np
import pytest
from gradients import assert_layer_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies.layers import generators, geometries

from kdq_ref import nn
from kdq_ref.errors import InvalidArgumentError, ShapeError


@settings(max_examples=20)
@given(generators, geometries(room=1), st.integers(1, 2), st.booleans())
def test_conv2d_gradients_shape_and_macs(rng, geometry, groups, bias):
    """The layer passes on all of its geometry."""
    layer = nn.Conv2d(
        2 * groups,
        3 * groups,
        geometry.kernel,
        stride=geometry.stride,
        padding=geometry.padding,
        dilation=geometry.dilation,
        groups=groups,
        bias=bias,
        rng=rng,
    )
    x = rng.standard_normal((2, *geometry.size, 2 * groups))
    shape = layer.forward(x)[0].shape[1:]
    assert layer.output_shape(x.shape[1:]) == shape == (*geometry.output, 3 * groups)
    kernel_h, kernel_w = geometry.kernel
    assert layer.macs(x.shape[1:]) == np.prod(shape) * kernel_h * kernel_w * 2
    assert_layer_gradients(layer, x, rng)


@settings(max_examples=20)
@given(generators, geometries(room=1), st.integers(1, 3), st.booleans())
def test_depthwise_gradients_shape_and_macs(rng, geometry, multiplier, bias):
    """The layer passes on all of its geometry."""
    layer = nn.DepthwiseConv2d(
        2,
        geometry.kernel,
        multiplier=multiplier,
        stride=geometry.stride,
        padding=geometry.padding,
        dilation=geometry.dilation,
        bias=bias,
        rng=rng,
    )
    x = rng.standard_normal((2, *geometry.size, 2))
    shape = layer.forward(x)[0].shape[1:]
    assert layer.output_shape(x.shape[1:]) == shape == (*geometry.output, 2 * multiplier)
    assert layer.macs(x.shape[1:]) == np.prod(shape) * geometry.kernel[0] * geometry.kernel[1]
    assert_layer_gradients(layer, x, rng)


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.DepthwiseConv2d])
def test_same_padding_keeps_the_size(kind):
    """By default, for odd kernels and any dilation."""
    sizes = (3, 4) if kind is nn.Conv2d else (3,)
    layer = kind(*sizes, (3, 5), dilation=2, rng=np.random.default_rng(0))
    assert layer.padding == (2, 2, 4, 4)
    assert layer.output_shape((7, 9, 3))[:2] == (7, 9)


def test_other_channels_are_refused():
    """The message says what the layer was built for."""
    for layer in (
        nn.Conv2d(3, 4, 3, rng=np.random.default_rng(0)),
        nn.DepthwiseConv2d(3, 3, rng=np.random.default_rng(0)),
    ):
        with pytest.raises(ShapeError, match="3 channels"):
            layer.output_shape((7, 7, 2))


@pytest.mark.parametrize("sizes", [(3, 4), (4, 3)])
def test_groups_divide_both_channel_counts(sizes):
    """Neither side may be split unevenly."""
    with pytest.raises(InvalidArgumentError, match="groups must divide"):
        nn.Conv2d(*sizes, 3, groups=2, rng=np.random.default_rng(0))


def test_fans_count_one_group():
    """With g groups one output sees 1/g of the inputs, so its weights are larger."""
    rng = np.random.default_rng(0)
    whole, grouped = (nn.Conv2d(64, 64, 3, groups=g, rng=rng).params["w"] for g in (1, 16))
    assert abs(grouped.std() / whole.std() / 4 - 1) < 0.1
