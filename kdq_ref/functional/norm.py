"""Batch normalisation over the last axis (Ioffe and Szegedy 2015, arXiv:1502.03167)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kdq_ref.errors import ShapeError
from kdq_ref.functional.channels import channel_dot, channel_sum, tile, wide


class BatchNormCache(NamedTuple):
    """What going back needs: the moments that were used, and ``x - mean``."""

    centred: np.ndarray
    gamma: np.ndarray
    mean: np.ndarray
    var: np.ndarray
    inverse_std: np.ndarray


def batch_norm_forward(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, *, eps: float = 1e-5
) -> tuple[np.ndarray, BatchNormCache]:
    r"""Normalise every channel by the moments of this batch (algorithm 1 of the paper).

    .. math:: y = \gamma \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta

    with the mean and the biased variance over images and pixels.

    Parameters
    ----------
    x : (..., C) ndarray
        At least one value per channel.
    gamma, beta : (C,) ndarray
    eps : float

    Returns
    -------
    y : (..., C) ndarray
    cache : BatchNormCache

    Raises
    ------
    ShapeError
        For an empty batch.
    """
    count = x.size // x.shape[-1]
    if not count:
        raise ShapeError(f"the moments of an empty batch are undefined, got shape {x.shape}")
    mean = channel_sum(x) / count
    centred = (wide(x) - tile(mean, x)).reshape(x.shape)
    var = channel_dot(centred, centred) / count
    return _scale_and_shift(centred, gamma, beta, mean, var, eps)


def batch_norm_backward(
    dy: np.ndarray, cache: BatchNormCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Gradients of `batch_norm_forward` (section 3 of the paper).

    Parameters
    ----------
    dy : (..., C) ndarray
    cache : BatchNormCache

    Returns
    -------
    dx : (..., C) ndarray
        With n values per channel and :math:`\hat x = (x - \mu) / \sigma`:
        ``gamma / sigma * (dy - dbeta / n - xhat * dgamma / n)``
    dgamma : (C,) ndarray
        ``(dy * xhat).sum()``
    dbeta : (C,) ndarray
        ``dy.sum()``
    """
    centred, gamma, _, _, inverse_std = cache
    count = dy.size // dy.shape[-1]
    dgamma, dbeta = _parameter_gradients(dy, cache)
    scale = gamma * inverse_std
    dx = wide(centred) * tile(-scale * inverse_std * dgamma / count, dy)
    dx += tile(-scale * dbeta / count, dy)
    dx += wide(dy) * tile(scale, dy)
    return dx.reshape(dy.shape), dgamma, dbeta


def batch_norm_inference_forward(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    *,
    eps: float = 1e-5,
) -> tuple[np.ndarray, BatchNormCache]:
    """Normalise every channel by given moments (algorithm 2 of the paper, step 11).

    Parameters
    ----------
    x : (..., C) ndarray
    gamma, beta, mean, var : (C,) ndarray
    eps : float

    Returns
    -------
    y : (..., C) ndarray
    cache : BatchNormCache
    """
    centred = (wide(x) - tile(mean, x)).reshape(x.shape)
    return _scale_and_shift(centred, gamma, beta, mean, var, eps)


def batch_norm_inference_backward(
    dy: np.ndarray, cache: BatchNormCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `batch_norm_inference_forward`: the moments are constants.

    Parameters
    ----------
    dy : (..., C) ndarray
    cache : BatchNormCache

    Returns
    -------
    dx : (..., C) ndarray
        ``dy * gamma / sigma``
    dgamma, dbeta : (C,) ndarray
        As in `batch_norm_backward`.
    """
    dgamma, dbeta = _parameter_gradients(dy, cache)
    dx = wide(dy) * tile(cache.gamma * cache.inverse_std, dy)
    return dx.reshape(dy.shape), dgamma, dbeta


def _scale_and_shift(
    centred: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    eps: float,
) -> tuple[np.ndarray, BatchNormCache]:
    """``y = gamma / sigma * centred + beta``."""
    inverse_std = 1 / np.sqrt(var + var.dtype.type(eps))
    y = wide(centred) * tile(gamma * inverse_std, centred)
    y += tile(beta, centred)
    cache = BatchNormCache(centred, gamma, mean, var, inverse_std)
    return y.reshape(centred.shape), cache


def _parameter_gradients(dy: np.ndarray, cache: BatchNormCache) -> tuple[np.ndarray, np.ndarray]:
    """Return ``dgamma`` and ``dbeta``."""
    return channel_dot(dy, cache.centred) * cache.inverse_std, channel_sum(dy)
