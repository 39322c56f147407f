"""Windows over channels-last arrays: padding, patches and taps, block by block.

Convolution and pooling work on blocks of images small enough to stay in a core's cache, so that a
patch matrix, many times the size of its image, never travels to main memory and back.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kdq_ref.geometry import Padding, Pair

BLOCK_BYTES = 1 << 20
"""Size of a patch matrix that a block of images aims at."""


def image_blocks(images: int, bytes_per_image: int) -> Iterator[slice]:
    """Cut a batch into consecutive slices of about `BLOCK_BYTES`, at least one image each.

    Parameters
    ----------
    images : int
        Size of the batch.
    bytes_per_image : int
        Scratch memory that one image needs.

    Yields
    ------
    slice
    """
    count = max(1, BLOCK_BYTES // max(1, bytes_per_image))
    for start in range(0, images, count):
        yield slice(start, min(start + count, images))


def pad(x: np.ndarray, padding: Padding, value: float = 0.0) -> np.ndarray:
    """Surround images with a border of `value`.

    Parameters
    ----------
    x : (B, H, W, C) ndarray
    padding : (top, bottom, left, right)
    value : float

    Returns
    -------
    (B, top + H + bottom, left + W + right, C) ndarray
        `x` itself when there is nothing to add.
    """
    if not any(padding):
        return x
    top, bottom, left, right = padding
    batch, height, width, channels = x.shape
    shape = (batch, top + height + bottom, left + width + right, channels)
    padded = np.full(shape, value, x.dtype)
    inside(padded, padding)[...] = x
    return padded


def inside(padded: np.ndarray, padding: Padding) -> np.ndarray:
    """Return the view of `padded` that `pad` filled with its argument."""
    top, bottom, left, right = padding
    return padded[:, top : padded.shape[1] - bottom, left : padded.shape[2] - right]


def patch_blocks(
    x: np.ndarray,
    kernel: Pair,
    output: Pair,
    *,
    origin: Pair,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    spread: Pair = (1, 1),
) -> Iterator[tuple[slice, np.ndarray]]:
    """Lay every window out as one row of a matrix ("im2col"), a block of images at a time.

    Parameters
    ----------
    x : (B, H, W, C) ndarray
        Surrounded by zeros as far as windows reach.
    kernel, output, stride, dilation : (h, w)
    origin : (h, w)
        Where pixel (0, 0) lies, seen from the first window's corner: the padding above and left
        of the image. May be negative.
    spread : (h, w)
        Distance between neighbouring pixels; the space between them is zero.

    Yields
    ------
    block : slice
        Of the batch.
    rows : (images * oh * ow, kh * kw * C) ndarray
        Overwritten by the next block.
    """
    batch, channels = len(x), x.shape[3]
    if kernel == stride == spread == (1, 1) and origin == (0, 0) and output == x.shape[1:3]:
        yield slice(0, batch), x.reshape(-1, channels)
        return
    reach = [
        (o - 1) * s + (k - 1) * d + 1
        for o, s, k, d in zip(output, stride, kernel, dilation, strict=True)
    ]
    places = [
        _visible(n, p, r, t) for n, p, r, t in zip(x.shape[1:3], origin, spread, reach, strict=True)
    ]
    (source_h, target_h), (source_w, target_w) = places
    size = output[0] * output[1] * kernel[0] * kernel[1] * channels
    canvas = np.zeros((0, *reach, channels), x.dtype)
    for block in image_blocks(batch, size * x.itemsize):
        if len(canvas) != block.stop - block.start:
            canvas = np.zeros((block.stop - block.start, *reach, channels), x.dtype)
            windows = _windows(canvas, kernel, output, stride, dilation)
            rows, filled = _row_matrix(windows)
        canvas[:, target_h, target_w] = x[block, source_h, source_w]
        np.copyto(filled, windows)
        yield block, rows


def _visible(size: int, origin: int, spread: int, reach: int) -> tuple[slice, slice]:
    """Which of `size` pixels, spread out from `origin`, lie in [0, reach), and where."""
    first = max(0, -(origin // spread))
    last = min(size, (reach - 1 - origin) // spread + 1)
    last = max(first, last)
    start = origin + first * spread
    return slice(first, last), slice(start, start + max(0, (last - first - 1) * spread + 1), spread)


def _windows(
    canvas: np.ndarray, kernel: Pair, output: Pair, stride: Pair, dilation: Pair
) -> np.ndarray:
    """View of all windows: (images, oh, ow, kh, kw, C)."""
    images, _, _, channels = canvas.shape
    step_b, step_h, step_w, step_c = canvas.strides
    steps = (
        step_b,
        step_h * stride[0],
        step_w * stride[1],
        step_h * dilation[0],
        step_w * dilation[1],
        step_c,
    )
    return as_strided(canvas, (images, *output, *kernel, channels), steps, writeable=False)


def _row_matrix(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Memory for a patch matrix, and the same memory seen in the shape of `windows`.

    Copies run along the innermost axis of memory: a kernel's row of values where there are many
    channels, else a row of outputs, which makes the matrix column-major.
    """
    images, out_h, out_w, kernel_h, kernel_w, channels = windows.shape
    count, size = images * out_h * out_w, kernel_h * kernel_w * channels
    if channels < 4:
        columns = np.empty((size, count), windows.dtype)
        filled = columns.reshape(kernel_h, kernel_w, channels, images, out_h, out_w)
        return columns.T, filled.transpose(3, 4, 5, 0, 1, 2)
    rows = np.empty((count, size), windows.dtype)
    return rows, rows.reshape(windows.shape)


def taps(
    padded: np.ndarray, kernel: Pair, stride: Pair, dilation: Pair, output: Pair
) -> Iterator[tuple[int, int, np.ndarray]]:
    """The view of each kernel position, in row-major order.

    Parameters
    ----------
    padded : (B, H, W, C) ndarray
    kernel, stride, dilation, output : (h, w)

    Yields
    ------
    i, j : int
        Position in the kernel.
    view : (B, oh, ow, C) ndarray
        What that position sees; writing to it writes to `padded`.
    """
    stop_h = (output[0] - 1) * stride[0] + 1
    stop_w = (output[1] - 1) * stride[1] + 1
    for i in range(kernel[0]):
        top = i * dilation[0]
        for j in range(kernel[1]):
            left = j * dilation[1]
            yield (
                i,
                j,
                padded[:, top : top + stop_h : stride[0], left : left + stop_w : stride[1]],
            )
