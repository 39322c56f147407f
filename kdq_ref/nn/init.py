"""Initial weights, drawn from an explicit generator."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kdq_ref.errors import InvalidArgumentError

SCHEMES = ("he", "he_uniform", "glorot", "glorot_uniform")


def draw(
    shape: Sequence[int], fan_in: int, fan_out: int, init: str, rng: np.random.Generator
) -> np.ndarray:
    r"""Draw weights with the variance that keeps signals (and gradients) at constant size.

    Parameters
    ----------
    shape : sequence of int
    fan_in, fan_out : int
        Inputs that feed one output, outputs that one input feeds.
    init : {"he", "he_uniform", "glorot", "glorot_uniform"}
        He [1]_: variance ``2 / fan_in``, for ReLU. Glorot [2]_: ``2 / (fan_in + fan_out)``.
        Normal, or uniform in :math:`\pm \sqrt{3 var}`.
    rng : numpy.random.Generator

    Returns
    -------
    float32 ndarray

    Raises
    ------
    InvalidArgumentError
        For an unknown `init`.

    References
    ----------
    .. [1] He, Zhang, Ren, Sun (2015), arXiv:1502.01852, section 2.2.
    .. [2] Glorot, Bengio (2010), AISTATS, equations 12 and 16.
    """
    if init not in SCHEMES:
        raise InvalidArgumentError(f"init must be one of {', '.join(SCHEMES)}, got {init!r}")
    variance = 2 / fan_in if init.startswith("he") else 2 / (fan_in + fan_out)
    if init.endswith("_uniform"):
        limit = math.sqrt(3 * variance)
        return (rng.random(shape, dtype=np.float32) * 2 - 1) * np.float32(limit)
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(math.sqrt(variance))
