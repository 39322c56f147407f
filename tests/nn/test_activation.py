"""Activation layers are their functions."""

from __future__ import annotations

import numpy as np
import pytest
from gradients import assert_layer_gradients
from numpy.testing import assert_array_equal
from strategies.layers import away_from

from kdq_ref import functional, nn
from kdq_ref.errors import RangeError

LAYERS = {
    nn.ReLU(): functional.relu_forward,
    nn.ReLU6(): functional.relu6_forward,
    nn.LeakyReLU(0.2): lambda x: functional.leaky_relu_forward(x, 0.2),
    nn.Sigmoid(): functional.sigmoid_forward,
    nn.Tanh(): functional.tanh_forward,
    nn.GELU(): functional.gelu_forward,
    nn.HardSwish(): functional.hard_swish_forward,
}


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_function_and_gradient(layer):
    """The right pair of functions, and any shape passes."""
    rng = np.random.default_rng(0)
    x = away_from(rng, (2, 3, 4, 2), (-3.0, 0.0, 3.0, 6.0))
    assert_array_equal(layer.forward(x)[0], LAYERS[layer](x)[0])
    assert_layer_gradients(layer, x, rng)
    assert layer.output_shape((3, 4, 2)) == (3, 4, 2)
    assert layer.output_shape((5,)) == (5,)


def test_the_slope_lies_between_flat_and_identity():
    """A negative slope would fold the line over."""
    with pytest.raises(RangeError, match="slope"):
        nn.LeakyReLU(-0.1)
