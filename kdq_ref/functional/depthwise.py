"""Depthwise convolution: every channel has its own kernels and meets no other channel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kdq_ref.functional.channels import channel_dot, channel_sum, tile, wide
from kdq_ref.functional.windows import inside, pad, taps
from kdq_ref.geometry import Padding, Pair, window_output


class DepthwiseCache(NamedTuple):
    """What `depthwise_conv2d_backward` needs of the forward pass."""

    x: np.ndarray
    w: np.ndarray
    has_bias: bool
    stride: Pair
    padding: Padding
    dilation: Pair


def depthwise_conv2d_forward(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
) -> tuple[np.ndarray, DepthwiseCache]:
    r"""Correlate every channel with its own `m` kernels.

    .. math:: y_{b,p,q,cm+r} = \beta_{cm+r} +
        \sum_{i,j} x_{b,\; p s_h + i d_h - top,\; q s_w + j d_w - left,\; c} \; w_{i,j,0,cm+r}

    Parameters
    ----------
    x : (B, H, W, C) ndarray
    w : (kh, kw, 1, C * m) ndarray
    b : (C * m,) ndarray, optional
    stride, dilation : (h, w)
    padding : (top, bottom, left, right)

    Returns
    -------
    y : (B, oh, ow, C * m) ndarray
    cache : DepthwiseCache

    Notes
    -----
    The separable networks of Howard et al. (2017), arXiv:1704.04861, section 3.1, use it.
    """
    kernel, channels = w.shape[:2], w.shape[3]
    output = window_output(x.shape[1:3], kernel, stride, padding, dilation)
    y = np.zeros((len(x), *output, channels), np.result_type(x, w))
    rows = wide(y)
    for i, j, view in taps(_padded(x, padding, channels), kernel, stride, dilation, output):
        rows += wide(view) * tile(w[i, j, 0], y)
    if b is not None:
        rows += tile(b, y)
    return y, DepthwiseCache(x, w, b is not None, stride, padding, dilation)


def depthwise_conv2d_backward(
    dy: np.ndarray, cache: DepthwiseCache, *, input_gradient: bool = True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]:
    """Gradients of `depthwise_conv2d_forward`.

    Parameters
    ----------
    dy : (B, oh, ow, C * m) ndarray
    cache : DepthwiseCache
    input_gradient : bool
        Whether to compute ``dx``.

    Returns
    -------
    dx : (B, H, W, C) ndarray or None
        Each position of the kernel returns ``dy * w[i, j]`` to the pixel that it read.
    dw : (kh, kw, 1, C * m) ndarray
        For each position of the kernel, what it read times `dy`, summed over images and pixels.
    db : (C * m,) ndarray or None
    """
    x, w, has_bias, stride, padding, dilation = cache
    kernel, channels, output = w.shape[:2], w.shape[3], dy.shape[1:3]
    padded = _padded(x, padding, channels)
    dw = np.empty(w.shape, np.result_type(x, dy))
    for i, j, view in taps(padded, kernel, stride, dilation, output):
        dw[i, j, 0] = channel_dot(view, dy)
    dx = None
    if input_gradient:
        dpadded = np.zeros(padded.shape, np.result_type(dy, w))
        for i, j, view in taps(dpadded, kernel, stride, dilation, output):
            view += (wide(dy) * tile(w[i, j, 0], dy)).reshape(dy.shape)
        dx = inside(dpadded, padding).reshape(*x.shape, -1).sum(axis=-1)
    return dx, dw, channel_sum(dy) if has_bias else None


def _padded(x: np.ndarray, padding: Padding, channels: int) -> np.ndarray:
    """Repeat each channel once per kernel that reads it, and pad."""
    multiplier = channels // x.shape[3]
    return pad(x if multiplier == 1 else np.repeat(x, multiplier, axis=3), padding)
