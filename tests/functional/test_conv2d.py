"""Convolution against its definition, and its gradients."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from gradients import assert_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies.layers import Geometry, generators, geometries

from kdq_ref import functional
from kdq_ref.errors import ShapeError
from kdq_ref.functional import windows

channel_counts = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 3))
"""Groups, input channels per group (below and above the switch of memory layout), outputs."""


def by_definition(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry, groups: int
) -> np.ndarray:
    """One output at a time, one product at a time."""
    (stride_h, stride_w), (dilation_h, dilation_w) = geometry.stride, geometry.dilation
    top, _, left, _ = geometry.padding
    batch, height, width, _ = x.shape
    kernel_h, kernel_w, depth, outputs = w.shape
    y = np.zeros((batch, *geometry.output, outputs))
    for n, p, q, o in np.ndindex(y.shape):
        first = o // (outputs // groups) * depth
        y[n, p, q, o] = b[o]
        for i, j, c in itertools.product(range(kernel_h), range(kernel_w), range(depth)):
            row, column = p * stride_h + i * dilation_h - top, q * stride_w + j * dilation_w - left
            if 0 <= row < height and 0 <= column < width:
                y[n, p, q, o] += x[n, row, column, first + c] * w[i, j, c, o]
    return y


def operands(
    rng: np.random.Generator, geometry: Geometry, counts: tuple[int, int, int], batch: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, object]]:
    """Random x, w, b in float64, and the keyword arguments."""
    groups, depth, width = counts
    x = rng.standard_normal((batch, *geometry.size, groups * depth))
    w = rng.standard_normal((*geometry.kernel, depth, groups * width))
    keywords = {
        "stride": geometry.stride,
        "padding": geometry.padding,
        "dilation": geometry.dilation,
        "groups": groups,
    }
    return x, w, rng.standard_normal(groups * width), keywords


@given(generators, geometries(max_padding=4), channel_counts, st.integers(0, 3))
def test_forward_equals_the_definition(rng, geometry, counts, batch):
    """Any stride, padding (beyond the kernel, too), dilation, group count and batch size."""
    x, w, b, keywords = operands(rng, geometry, counts, batch)
    y, _ = functional.conv2d_forward(x, w, b, **keywords)
    expected = by_definition(x, w, b, geometry, counts[0])
    assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=40)
@given(generators, geometries(max_padding=4, room=2), channel_counts, st.integers(1, 2))
def test_gradients(rng, geometry, counts, batch):
    """dx, dw and db for a random upstream gradient."""
    x, w, b, keywords = operands(rng, geometry, counts, batch)
    y, cache = functional.conv2d_forward(x, w, b, **keywords)
    dy = rng.standard_normal(y.shape)
    dx, dw, db = functional.conv2d_backward(dy, cache)

    def loss() -> float:
        return float(np.sum(functional.conv2d_forward(x, w, b, **keywords)[0] * dy))

    assert_gradients(loss, {"x": x, "w": w, "b": b}, {"x": dx, "w": dw, "b": db})


@given(generators, geometries(), channel_counts, st.integers(1, 9))
def test_blocks_do_not_matter(rng, geometry, counts, batch):
    """One image at a time or all at once: the same result up to rounding."""
    x, w, b, keywords = operands(rng, geometry, counts, batch)
    whole = functional.conv2d_forward(x, w, b, **keywords)
    dy = rng.standard_normal(whole[0].shape)
    gradients = functional.conv2d_backward(dy, whole[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "BLOCK_BYTES", 3 * x[:1].nbytes)
        split = functional.conv2d_forward(x, w, b, **keywords)
        for one, other in zip(
            (whole[0], *gradients),
            (split[0], *functional.conv2d_backward(dy, split[1])),
            strict=True,
        ):
            assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@given(generators, geometries(), channel_counts)
def test_float32_stays_float32(rng, geometry, counts):
    """Nothing is promoted on the way, and no operand is written to."""
    x, w, b, keywords = operands(rng, geometry, counts, 2)
    arrays = [a.astype(np.float32) for a in (x, w, b)]
    copies = [a.copy() for a in arrays]
    y, cache = functional.conv2d_forward(*arrays, **keywords)
    assert [a.dtype for a in (y, *functional.conv2d_backward(y, cache))] == [np.float32] * 4
    for array, copy in zip(arrays, copies, strict=True):
        assert_array_equal(array, copy)


def test_what_is_not_asked_for_is_not_computed():
    """No bias: no db. No input gradient: no dx."""
    x, w = np.ones((1, 3, 3, 1)), np.ones((2, 2, 1, 1))
    y, cache = functional.conv2d_forward(x, w)
    dx, _, db = functional.conv2d_backward(y, cache, input_gradient=False)
    assert dx is None
    assert db is None


def test_a_window_that_does_not_fit_is_an_error():
    """The geometry's own error, before any work."""
    with pytest.raises(ShapeError, match="does not fit"):
        functional.conv2d_forward(np.ones((1, 2, 2, 1)), np.ones((3, 3, 1, 1)))
