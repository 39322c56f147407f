"""Pooling against its definitions, its gradients, and who wins a tie."""

from __future__ import annotations

import numpy as np
from gradients import assert_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies.layers import Geometry, generators, geometries, without_ties

from kdq_ref import functional

pools = geometries(dilated=False)


def keywords(geometry: Geometry) -> dict[str, object]:
    """Keyword arguments of a pooling function."""
    return {"kernel": geometry.kernel, "stride": geometry.stride, "padding": geometry.padding}


def windows(x: np.ndarray, geometry: Geometry):
    """Yield (n, p, q, c) and the pixels of that window as a list of (row, column)."""
    top, _, left, _ = geometry.padding
    for n, p, q, c in np.ndindex(len(x), *geometry.output, x.shape[3]):
        rows = range(
            p * geometry.stride[0] - top, p * geometry.stride[0] - top + geometry.kernel[0]
        )
        start = q * geometry.stride[1] - left
        columns = range(start, start + geometry.kernel[1])
        inside = [
            (row, column)
            for row in rows
            for column in columns
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]
        ]
        yield (n, p, q, c), inside


@given(generators, pools, st.integers(1, 3), st.booleans())
def test_max_pool_sends_gradients_to_the_first_maximum(rng, geometry, channels, ties):
    """Values and gradients by the definition; with three distinct values ties abound."""
    shape = (2, *geometry.size, channels)
    x = rng.integers(-1, 2, shape).astype(np.float64) if ties else without_ties(rng, shape)
    y, cache = functional.max_pool2d_forward(x, **keywords(geometry))
    dy = rng.integers(1, 1000, y.shape).astype(np.float64)
    expected, dexpected = np.empty_like(y), np.zeros_like(x)
    for (n, p, q, c), inside in windows(x, geometry):
        row, column = max(inside, key=lambda place: x[n, place[0], place[1], c])
        expected[n, p, q, c] = x[n, row, column, c]
        dexpected[n, row, column, c] += dy[n, p, q, c]
    assert_array_equal(y, expected)
    assert_array_equal(functional.max_pool2d_backward(dy, cache), dexpected)


@settings(max_examples=30)
@given(generators, pools, st.integers(1, 3))
def test_max_pool_gradient(rng, geometry, channels):
    """By differences, where no two values tie."""
    x = without_ties(rng, (2, *geometry.size, channels))
    y, cache = functional.max_pool2d_forward(x, **keywords(geometry))
    dy = rng.standard_normal(y.shape)

    def loss() -> float:
        return float(np.sum(functional.max_pool2d_forward(x, **keywords(geometry))[0] * dy))

    assert_gradients(loss, {"x": x}, {"x": functional.max_pool2d_backward(dy, cache)})


@given(generators, pools, st.integers(1, 3))
def test_avg_pool_always_divides_by_the_whole_window(rng, geometry, channels):
    """Padded positions count as zeros; gradients by the definition, too."""
    x = rng.standard_normal((2, *geometry.size, channels))
    y, cache = functional.avg_pool2d_forward(x, **keywords(geometry))
    dy = rng.standard_normal(y.shape)
    expected, dexpected = np.empty_like(y), np.zeros_like(x)
    area = geometry.kernel[0] * geometry.kernel[1]
    for (n, p, q, c), inside in windows(x, geometry):
        expected[n, p, q, c] = sum(x[n, row, column, c] for row, column in inside) / area
        for row, column in inside:
            dexpected[n, row, column, c] += dy[n, p, q, c] / area
    assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    assert_allclose(functional.avg_pool2d_backward(dy, cache), dexpected, rtol=1e-12, atol=1e-12)


@settings(max_examples=20)
@given(generators, st.tuples(*[st.integers(1, 4)] * 4))
def test_global_avg_pool(rng, shape):
    """The mean over pixels, and its gradient by differences."""
    x = rng.standard_normal(shape)
    y, cache = functional.global_avg_pool_forward(x)
    assert_allclose(y, x.mean(axis=(1, 2)))
    dy = rng.standard_normal(y.shape)

    def loss() -> float:
        return float(np.sum(functional.global_avg_pool_forward(x)[0] * dy))

    assert_gradients(loss, {"x": x}, {"x": functional.global_avg_pool_backward(dy, cache)})


@given(pools, st.integers(0, 2))
def test_float32_stays_float32(geometry, batch):
    """In both directions, for empty batches as well."""
    x = np.ones((batch, *geometry.size, 2), np.float32)
    for forward, backward in (
        (functional.max_pool2d_forward, functional.max_pool2d_backward),
        (functional.avg_pool2d_forward, functional.avg_pool2d_backward),
    ):
        y, cache = forward(x, **keywords(geometry))
        dx = backward(y, cache)
        assert y.dtype == dx.dtype == np.float32
        assert dx.shape == x.shape
    y, shape = functional.global_avg_pool_forward(x)
    assert y.dtype == functional.global_avg_pool_backward(y, shape).dtype == np.float32
