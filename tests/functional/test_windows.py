"""Padding, patches and taps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies.layers import generators, geometries

from kdq_ref.functional import windows

paddings = st.tuples(*[st.integers(0, 3)] * 4)


@given(generators, paddings, st.floats(-2, 2))
def test_pad_is_numpys_pad(rng, padding, value):
    """On all sides; `inside` undoes it; without padding nothing is copied."""
    x = rng.standard_normal((2, 3, 2, 2))
    top, bottom, left, right = padding
    padded = windows.pad(x, padding, value)
    widths = ((0, 0), (top, bottom), (left, right), (0, 0))
    assert_array_equal(padded, np.pad(x, widths, constant_values=value))
    assert_array_equal(windows.inside(padded, padding), x)
    assert any(padding) or padded is x


@given(st.integers(0, 20), st.integers(0, 5_000_000))
def test_image_blocks_cut_the_batch_in_order(images, size):
    """Every image once, in order, in blocks that fit or hold a single image."""
    blocks = list(windows.image_blocks(images, size))
    assert [i for block in blocks for i in range(images)[block]] == list(range(images))
    for block in blocks:
        count = block.stop - block.start
        assert count == 1 or count * size <= windows.BLOCK_BYTES


@given(
    generators,
    geometries(),
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(1, 100),
)
def test_patches_are_what_the_taps_see(rng, geometry, batch, channels, block_bytes):
    """Row (n, p, q) holds the window's pixels, zeros outside the image, for any block size."""
    x = rng.standard_normal((batch, *geometry.size, channels))
    kernel, stride, dilation, output = (
        geometry.kernel,
        geometry.stride,
        geometry.dilation,
        geometry.output,
    )
    expected = np.stack(
        [
            view
            for _, _, view in windows.taps(
                windows.pad(x, geometry.padding), kernel, stride, dilation, output
            )
        ],
        axis=3,
    )
    found = np.full((batch, expected[0].size // channels * channels), np.nan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "BLOCK_BYTES", block_bytes * 10)
        for block, rows in windows.patch_blocks(
            x,
            kernel,
            output,
            origin=(geometry.padding[0], geometry.padding[2]),
            stride=stride,
            dilation=dilation,
        ):
            found[block] = rows.reshape(block.stop - block.start, -1)
    assert_array_equal(found, expected.reshape(batch, -1))


@given(
    generators,
    st.tuples(*[st.integers(-6, 6)] * 2),
    st.tuples(*[st.integers(1, 3)] * 2),
    st.tuples(*[st.integers(1, 4)] * 2),
)
def test_pixels_may_be_spread_and_fall_outside(rng, origin, spread, output):
    """Pixel (h, w) appears at origin + spread * (h, w) if that is on the canvas."""
    x = rng.standard_normal((1, 3, 2, 4))
    canvas = np.zeros((1, *output, 4))
    for h, w in np.ndindex(3, 2):
        row, column = origin[0] + spread[0] * h, origin[1] + spread[1] * w
        if 0 <= row < output[0] and 0 <= column < output[1]:
            canvas[0, row, column] = x[0, h, w]
    ((_, rows),) = windows.patch_blocks(x, (1, 1), output, origin=origin, spread=spread)
    assert_array_equal(rows.reshape(canvas.shape), canvas)


def test_one_by_one_kernels_copy_nothing():
    """Their patches are the image itself."""
    x = np.ones((2, 3, 3, 5))
    ((_, rows),) = windows.patch_blocks(x, (1, 1), (3, 3), origin=(0, 0))
    assert np.shares_memory(rows, x)


def test_taps_are_writable_views_in_row_major_order():
    """Position (i, j) of the kernel, dilation and stride applied; writing goes through."""
    x = np.zeros((1, 4, 5, 1))
    places = []
    for count, (i, j, view) in enumerate(windows.taps(x, (2, 2), (1, 2), (2, 1), (2, 2))):
        places.append((i, j))
        view += 10**count
    assert places == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert_array_equal(
        x[0, :, :, 0],
        [
            [1, 10, 1, 10, 0],
            [1, 10, 1, 10, 0],
            [100, 1000, 100, 1000, 0],
            [100, 1000, 100, 1000, 0],
        ],
    )
