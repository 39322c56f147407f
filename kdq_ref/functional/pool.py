"""Pooling over windows and over whole images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kdq_ref.functional.windows import inside, pad, taps
from kdq_ref.geometry import Padding, Pair, window_output


class PoolCache(NamedTuple):
    """What an average needs to go back."""

    shape: tuple[int, ...]
    kernel: Pair
    stride: Pair
    padding: Padding


class MaxPoolCache(NamedTuple):
    """Who won: for every position of a window but the first, whether it beat all before it."""

    shape: tuple[int, ...]
    kernel: Pair
    stride: Pair
    padding: Padding
    columns: list[np.ndarray]
    rows: list[np.ndarray]


def max_pool2d_forward(
    x: np.ndarray, *, kernel: Pair, stride: Pair, padding: Padding = (0, 0, 0, 0)
) -> tuple[np.ndarray, MaxPoolCache]:
    """Maximum of every window; padded positions never win.

    Parameters
    ----------
    x : (B, H, W, C) ndarray
    kernel, stride : (h, w)
    padding : (top, bottom, left, right)
        Each smaller than the kernel, so that every window holds a pixel.

    Returns
    -------
    y : (B, oh, ow, C) ndarray
    cache : MaxPoolCache

    Notes
    -----
    A maximum over a rectangle is a maximum over columns, then over rows.
    """
    output = window_output(x.shape[1:3], kernel, stride, padding, (1, 1))
    padded = pad(x, padding, -np.inf)
    batch, height, width, channels = padded.shape
    y, columns = _max_along(
        padded.reshape(batch * height, width, channels), kernel[1], stride[1], output[1]
    )
    y, rows = _max_along(
        y.reshape(batch, height, output[1] * channels), kernel[0], stride[0], output[0]
    )
    cache = MaxPoolCache(x.shape, kernel, stride, padding, columns, rows)
    return y.reshape(batch, *output, channels), cache


def max_pool2d_backward(dy: np.ndarray, cache: MaxPoolCache) -> np.ndarray:
    """Send each gradient to the pixel that won its window.

    Parameters
    ----------
    dy : (B, oh, ow, C) ndarray
    cache : MaxPoolCache

    Returns
    -------
    dx : (B, H, W, C) ndarray
        Where several pixels of a window are equal the first one in row-major order gets it all.
    """
    (batch, height, width, channels), kernel, stride, padding, columns, rows = cache
    top, bottom, left, right = padding
    height, width = top + height + bottom, left + width + right
    _, out_height, out_width, _ = dy.shape
    dx = _route_along(
        dy.reshape(batch, out_height, out_width * channels), rows, kernel[0], stride[0], height
    )
    dx = _route_along(
        dx.reshape(batch * height, out_width, channels), columns, kernel[1], stride[1], width
    )
    dx = dx.reshape(batch, height, width, channels)
    return np.ascontiguousarray(inside(dx, padding))


def _max_along(
    x: np.ndarray, kernel: int, stride: int, length: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Maximum of windows along the middle axis, and who won."""
    stop = (length - 1) * stride + 1
    if kernel == 1:
        return x[:, :stop:stride], []
    best = x.take(np.arange(0, stop, stride), axis=1)
    won = []
    for start in range(1, kernel):
        other = x.take(np.arange(start, start + stop, stride), axis=1)
        won.append(other > best)
        np.maximum(other, best, out=best)
    return best, won


def _route_along(
    dy: np.ndarray, won: list[np.ndarray], kernel: int, stride: int, size: int
) -> np.ndarray:
    """Transpose of `_max_along`: the last position that beat all before it gets the gradient."""
    stop = (dy.shape[1] - 1) * stride + 1
    dx = np.zeros((len(dy), size, dy.shape[2]), dy.dtype)
    for start in range(kernel - 1, -1, -1):
        part = dy * won[start - 1] if start else dy
        target = dx[:, start : start + stop : stride]
        target += part
        dy = dy - part
    return dx


def avg_pool2d_forward(
    x: np.ndarray, *, kernel: Pair, stride: Pair, padding: Padding = (0, 0, 0, 0)
) -> tuple[np.ndarray, PoolCache]:
    """Mean of every window; padded positions count as zeros, so the divisor is always kh * kw.

    Parameters
    ----------
    x : (B, H, W, C) ndarray
    kernel, stride : (h, w)
    padding : (top, bottom, left, right)

    Returns
    -------
    y : (B, oh, ow, C) ndarray
    cache : PoolCache
    """
    output = window_output(x.shape[1:3], kernel, stride, padding, (1, 1))
    y = np.zeros((len(x), *output, x.shape[3]), x.dtype)
    for _, _, view in taps(pad(x, padding), kernel, stride, (1, 1), output):
        y += view
    y /= kernel[0] * kernel[1]
    return y, PoolCache(x.shape, kernel, stride, padding)


def avg_pool2d_backward(dy: np.ndarray, cache: PoolCache) -> np.ndarray:
    """Spread each gradient evenly over its window.

    Parameters
    ----------
    dy : (B, oh, ow, C) ndarray
    cache : PoolCache

    Returns
    -------
    dx : (B, H, W, C) ndarray
    """
    shape, kernel, stride, padding = cache
    top, bottom, left, right = padding
    _, height, width, channels = shape
    share = dy / (kernel[0] * kernel[1])
    padded = (len(dy), top + height + bottom, left + width + right, channels)
    dx = np.zeros(padded, dy.dtype)
    for _, _, view in taps(dx, kernel, stride, (1, 1), dy.shape[1:3]):
        view += share
    return np.ascontiguousarray(inside(dx, padding))


def global_avg_pool_forward(x: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """Mean over all pixels (Lin, Chen, Yan 2013, arXiv:1312.4400, section 3.2).

    Parameters
    ----------
    x : (B, H, W, C) ndarray

    Returns
    -------
    y : (B, C) ndarray
    cache : tuple of int
        Shape of `x`.
    """
    return x.mean(axis=(1, 2)), x.shape


def global_avg_pool_backward(dy: np.ndarray, cache: tuple[int, ...]) -> np.ndarray:
    """Spread each gradient evenly over its image.

    Parameters
    ----------
    dy : (B, C) ndarray
    cache : tuple of int

    Returns
    -------
    dx : (B, H, W, C) ndarray
    """
    share = dy / (cache[1] * cache[2])
    return np.broadcast_to(share[:, None, None, :], cache).copy()
