"""The batch norm layer and its running statistics."""

from __future__ import annotations

import numpy as np
import pytest
from gradients import assert_layer_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies.layers import generators

from kdq_ref import nn
from kdq_ref.errors import RangeError, ShapeError


@pytest.mark.parametrize("training", [True, False])
@settings(max_examples=15)
@given(rng=generators, shape=st.sampled_from([(5, 3), (2, 3, 2, 2)]))
def test_gradients(training, rng, shape):
    """In both modes."""
    layer = nn.BatchNorm(shape[-1])
    layer.buffers["mean"][...] = rng.standard_normal(shape[-1])
    layer.buffers["var"][...] = rng.uniform(0.5, 2, shape[-1])
    x = rng.standard_normal(shape) + 3 * np.arange(np.prod(shape)).reshape(shape)
    assert_layer_gradients(layer, x, rng, training=training)


@given(generators, st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_running_statistics_of_micro_batches(rng, sizes):
    """One update moves by momentum towards the mean of the batches' moments, by their sizes."""
    layer = nn.BatchNorm(2, momentum=0.3).astype(np.float64)
    parts = [rng.standard_normal((size, 2, 1, 2)) + 5 for size in sizes]
    seen = []
    for part in parts:
        before = {key: value.copy() for key, value in layer.buffers.items()}
        _, cache = layer.forward(part, training=True)
        seen.append(layer.statistics(cache))
        for key, value in before.items():
            assert_array_equal(layer.buffers[key], value)
    layer.update_statistics(seen)
    weights = np.array(sizes) / sum(sizes)
    mean = sum(w * p.mean(axis=(0, 1, 2)) for w, p in zip(weights, parts, strict=True))
    var = sum(w * p.var(axis=(0, 1, 2), ddof=1) for w, p in zip(weights, parts, strict=True))
    assert_allclose(layer.buffers["mean"], 0.3 * mean, atol=1e-12)
    assert_allclose(layer.buffers["var"], 0.7 + 0.3 * var, atol=1e-12)


def test_inference_uses_and_keeps_running_statistics():
    """Passes in inference mode teach nothing, also when handed to the update."""
    layer = nn.BatchNorm(1).astype(np.float64)
    layer.buffers["mean"][...], layer.buffers["var"][...] = 2, 4 - layer.eps
    y, cache = layer.forward(np.array([[4.0]]))
    assert_allclose(y, [[1]])
    layer.update_statistics([layer.statistics(cache)])
    assert layer.buffers["mean"] == 2


def test_a_single_value_has_variance_zero():
    """One example in training: no division by zero in the unbiased variance."""
    layer = nn.BatchNorm(2)
    _, cache = layer.forward(np.ones((1, 2), np.float32), training=True)
    layer.update_statistics([layer.statistics(cache)])
    assert_allclose(layer.buffers["var"], 0.9)


def test_shapes():
    """Vectors and images with the right last axis."""
    layer = nn.BatchNorm(3)
    assert layer.output_shape((3,)) == (3,)
    assert layer.output_shape((4, 5, 3)) == (4, 5, 3)
    for shape in ((2,), (5, 3), (3, 3, 1)):
        with pytest.raises(ShapeError, match="3 channels"):
            layer.output_shape(shape)


@pytest.mark.parametrize("keywords", [{"eps": -1.0}, {"momentum": 1.5}])
def test_ranges(keywords):
    """Negative eps and momentum above one are refused."""
    with pytest.raises(RangeError):
        nn.BatchNorm(3, **keywords)
