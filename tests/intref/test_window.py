"""The taps of a sliding window, element by element."""

from __future__ import annotations

import numpy as np

from kdq_ref.intref.window import window_slices


def test_taps_address_the_padded_input() -> None:
    """tap[b, y, z] = padded[b, y * stride + i * dilation, z * stride + j * dilation]."""
    x = np.arange(1 * 5 * 6 * 2).reshape(1, 5, 6, 2)
    kernel, stride, padding, dilation, output = (2, 3), (2, 1), (1, 2, 0, 1), (2, 2), (3, 3)
    padded = np.full((1, 8, 7, 2), -9)
    padded[:, 1:6, 0:6] = x
    taps = dict(window_slices(x, -9, kernel, stride, padding, dilation, output))
    assert list(taps) == [(i, j) for i in range(2) for j in range(3)]
    for (i, j), tap in taps.items():
        for y in range(3):
            for z in range(3):
                expected = padded[0, y * 2 + i * 2, z + j * 2]
                np.testing.assert_array_equal(tap[0, y, z], expected)
