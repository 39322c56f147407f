"""One strided slice of the padded input per tap of a sliding window."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kdq_ref.geometry import Padding, Pair


def window_slices(
    x: np.ndarray,
    fill: int,
    kernel: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    output: Pair,
) -> Iterator[tuple[Pair, np.ndarray]]:
    """Yield ``((i, j), tap)`` for every position of the kernel.

    ``tap[b, y, z] = padded[b, y * stride + i * dilation, z * stride + j * dilation]``.

    Parameters
    ----------
    x : (B, H, W, C) ndarray
    fill : int
        The value of padded positions.
    kernel, stride, dilation, output : (int, int)
    padding : (top, bottom, left, right)
    """
    top, bottom, left, right = padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            y, z = i * dilation[0], j * dilation[1]
            rows = slice(y, y + (output[0] - 1) * stride[0] + 1, stride[0])
            columns = slice(z, z + (output[1] - 1) * stride[1] + 1, stride[1])
            yield (i, j), padded[:, rows, columns, :]
