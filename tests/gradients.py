"""Gradient checks by central differences in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from kdq_ref import nn


def assert_gradients(
    loss: Callable[[], float],
    arrays: Mapping[str, np.ndarray],
    gradients: Mapping[str, np.ndarray],
    *,
    step: float = 1e-5,
    tolerance: float = 1e-6,
) -> None:
    """Check ``gradients[name]`` against ``loss``, moving each element of ``arrays[name]``.

    The tolerance is relative to each element and to the largest one of its array (at least 1).
    """
    assert gradients.keys() == arrays.keys()
    for name, array in arrays.items():
        assert array.dtype == gradients[name].dtype == np.float64
        assert gradients[name].shape == array.shape
        numeric = np.empty_like(array)
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + step
            above = loss()
            array[index] = kept - step
            numeric[index] = (above - loss()) / (2 * step)
            array[index] = kept
        largest = max(1.0, np.abs(numeric).max(initial=0))
        np.testing.assert_allclose(
            gradients[name], numeric, rtol=tolerance, atol=tolerance * largest, err_msg=name
        )


def assert_layer_gradients(
    layer: nn.Layer, x: np.ndarray, rng: np.random.Generator, *, training: bool = True
) -> None:
    """Check a layer's gradients for a random upstream gradient."""
    layer = layer.astype(np.float64)
    y, cache = layer.forward(x, training=training, rng=np.random.default_rng(0))
    dy = rng.standard_normal(y.shape)
    given = dy.copy()
    dx, grads = layer.backward(dy, cache)
    np.testing.assert_array_equal(dy, given, err_msg="backward wrote to dy")

    def loss() -> float:
        value, _ = layer.forward(x, training=training, rng=np.random.default_rng(0))
        return float(np.sum(value * dy))

    assert_gradients(loss, {**layer.params, "x": x}, {**grads, "x": dx})
    assert layer.backward(dy, cache, input_gradient=False)[1].keys() == grads.keys()
