"""Two-dimensional convolution (cross-correlation, as everywhere in deep learning)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from kdq_ref.functional.channels import channel_sum, tile, wide
from kdq_ref.functional.windows import patch_blocks
from kdq_ref.geometry import Padding, Pair, window_output


class Conv2dCache(NamedTuple):
    """What `conv2d_backward` needs of the forward pass: operands, no patches."""

    x: np.ndarray
    w: np.ndarray
    has_bias: bool
    stride: Pair
    padding: Padding
    dilation: Pair
    groups: int


def conv2d_forward(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> tuple[np.ndarray, Conv2dCache]:
    r"""Correlate images with a bank of kernels.

    .. math:: y_{b,p,q,o} = \beta_o +
        \sum_{i,j,c} x_{b,\; p s_h + i d_h - top,\; q s_w + j d_w - left,\; c} \; w_{i,j,c,o}

    where c runs over the input channels of o's group and x is zero outside the image.

    Parameters
    ----------
    x : (B, H, W, C) ndarray
    w : (kh, kw, C / groups, O) ndarray
    b : (O,) ndarray, optional
    stride, dilation : (h, w)
    padding : (top, bottom, left, right)
    groups : int
        Group g reads input channels ``[g C/groups, (g+1) C/groups)`` and writes output channels
        ``[g O/groups, (g+1) O/groups)``.

    Returns
    -------
    y : (B, oh, ow, O) ndarray
    cache : Conv2dCache

    Notes
    -----
    Windows are copied to the rows of a matrix that a single product per block consumes
    ("im2col": Chellapilla, Puri, Simard 2006, inria-00112631).
    """
    output = window_output(x.shape[1:3], w.shape[:2], stride, padding, dilation)
    origin = (padding[0], padding[2])
    y = _correlate(x, w, b, groups, output, origin=origin, stride=stride, dilation=dilation)
    return y, Conv2dCache(x, w, b is not None, stride, padding, dilation, groups)


def conv2d_backward(
    dy: np.ndarray, cache: Conv2dCache, *, input_gradient: bool = True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]:
    """Gradients of `conv2d_forward`.

    Parameters
    ----------
    dy : (B, oh, ow, O) ndarray
    cache : Conv2dCache
    input_gradient : bool
        Whether to compute ``dx``.

    Returns
    -------
    dx : (B, H, W, C) ndarray or None
        `dy`, with ``stride - 1`` zeros between its pixels, correlated with the kernels turned by
        180 degrees and with input and output channels exchanged (Dumoulin and Visin 2016,
        arXiv:1603.07285, section 4).
    dw : (kh, kw, C / groups, O) ndarray
        Transposed patches times `dy`.
    db : (O,) ndarray or None
        `dy` summed over images and pixels.
    """
    dx = _input_gradient(dy, cache) if input_gradient else None
    return dx, _weight_gradient(dy, cache), channel_sum(dy) if cache.has_bias else None


def _correlate(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None,
    groups: int,
    output: Pair,
    **geometry: Pair,
) -> np.ndarray:
    """Correlate `x` with `w`; `geometry` as in `patch_blocks`."""
    y = np.empty((len(x), *output, w.shape[3]), np.result_type(x, w))
    bias = None if b is None else tile(b, y)
    for source, target in _group_slices(w, groups):
        matrix = w[..., target].reshape(-1, w.shape[3] // groups)
        for block, rows in patch_blocks(x[..., source], w.shape[:2], output, **geometry):
            part = y[block]
            if groups == 1:
                np.matmul(rows, matrix, out=part.reshape(-1, w.shape[3]))
            else:
                part[..., target] = (rows @ matrix).reshape(part[..., target].shape)
            if bias is not None and target.stop == w.shape[3]:
                view = wide(part)
                view += bias
    return y


def _weight_gradient(dy: np.ndarray, cache: Conv2dCache) -> np.ndarray:
    x, w, _, stride, padding, dilation, groups = cache
    dw = np.zeros(w.shape, np.result_type(x, dy))
    for source, target in _group_slices(w, groups):
        blocks = patch_blocks(
            x[..., source],
            w.shape[:2],
            dy.shape[1:3],
            origin=(padding[0], padding[2]),
            stride=stride,
            dilation=dilation,
        )
        for block, rows in blocks:
            upstream = dy[block, ..., target].reshape(len(rows), w.shape[3] // groups)
            dw[..., target] += (rows.T @ upstream).reshape(dw[..., target].shape)
    return dw


def _input_gradient(dy: np.ndarray, cache: Conv2dCache) -> np.ndarray:
    x, w, _, stride, padding, dilation, groups = cache
    origin = (
        dilation[0] * (w.shape[0] - 1) - padding[0],
        dilation[1] * (w.shape[1] - 1) - padding[2],
    )
    return _correlate(
        dy,
        _turned(w, groups),
        None,
        groups,
        x.shape[1:3],
        origin=origin,
        dilation=dilation,
        spread=stride,
    )


def _turned(w: np.ndarray, groups: int) -> np.ndarray:
    """Turn kernels by 180 degrees: (kh, kw, C / g, O) to (kh, kw, O / g, C), group by group."""
    kh, kw, depth, outputs = w.shape
    turned = w[::-1, ::-1].reshape(kh, kw, depth, groups, outputs // groups)
    return turned.transpose(0, 1, 4, 3, 2).reshape(kh, kw, outputs // groups, groups * depth)


def _group_slices(w: np.ndarray, groups: int) -> Iterator[tuple[slice, slice]]:
    """Yield the input and the output channels of each group."""
    depth, width = w.shape[2], w.shape[3] // groups
    for g in range(groups):
        yield slice(g * depth, (g + 1) * depth), slice(g * width, (g + 1) * width)
