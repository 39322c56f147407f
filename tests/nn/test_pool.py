"""Pooling layers."""

from __future__ import annotations

import numpy as np
import pytest
from gradients import assert_layer_gradients
from hypothesis import given, settings
from strategies.layers import generators, geometries, without_ties

from kdq_ref import nn
from kdq_ref.errors import RangeError, ShapeError


@pytest.mark.parametrize("kind", [nn.MaxPool2d, nn.AvgPool2d])
@settings(max_examples=15)
@given(rng=generators, geometry=geometries(dilated=False, room=2))
def test_gradients_and_shape(kind, rng, geometry):
    """The layer passes on all of its geometry."""
    layer = kind(geometry.kernel, stride=geometry.stride, padding=geometry.padding)
    x = without_ties(rng, (2, *geometry.size, 2))
    assert layer.output_shape(x.shape[1:]) == layer.forward(x)[0].shape[1:]
    assert layer.macs(x.shape[1:]) == 0
    assert_layer_gradients(layer, x, rng)


def test_windows_do_not_overlap_by_default():
    """The stride is the kernel's size."""
    assert nn.MaxPool2d((2, 3)).output_shape((7, 7, 5)) == (3, 2, 5)


def test_padding_must_leave_a_pixel_in_every_window():
    """As wide as the kernel is too wide."""
    with pytest.raises(RangeError, match="smaller than the kernel"):
        nn.AvgPool2d(2, padding=(0, 2, 0, 0))


def test_global_avg_pool():
    """Gradients, and that it reads images only."""
    rng = np.random.default_rng(0)
    assert_layer_gradients(nn.GlobalAvgPool(), rng.standard_normal((2, 3, 4, 2)), rng)
    assert nn.GlobalAvgPool().output_shape((3, 4, 2)) == (2,)
    with pytest.raises(ShapeError, match="images"):
        nn.GlobalAvgPool().output_shape((5,))
