"""From ranges to scales and zero points, and from real weights to integers.

Activations are asymmetric int8, per tensor; weights symmetric int8 in [-127, 127], per output
channel or per tensor; biases int32 at the scale of the accumulator. A scale is always a positive
normal float32, so that every runtime can hold it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kdq_ref import operands
from kdq_ref.checks import check_array, check_finite, check_in_range
from kdq_ref.errors import (
    AccumulatorOverflowError,
    InvalidArgumentError,
    NotFiniteError,
    RangeError,
)

GRANULARITIES = ("per_channel", "per_tensor")

_FLOAT32 = np.finfo(np.float32)
_TINY, _MAX = float(_FLOAT32.tiny), float(_FLOAT32.max)
_INT32_MAX = 2**31 - 1
_WEIGHT_MAX = 127
_BIAS_STEPS = 2**30


@dataclass(frozen=True)
class QuantParams:
    """How an int8 tensor stands for real numbers: ``real = scale * (q - zero_point)``.

    Attributes
    ----------
    scale : float
        Positive and normal, and exactly a float32.
    zero_point : int
        In [-128, 127].

    Raises
    ------
    RangeError, DTypeError
    """

    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        scale = float(operands.check_scale(self.scale))
        if float(np.float32(scale)) != scale:
            raise RangeError(
                f"scale must be exactly a float32, got {scale!r}; "
                f"the nearest is {float(np.float32(scale))!r}"
            )
        object.__setattr__(self, "scale", scale)
        zero_point = operands.check_zero_point("zero_point", self.zero_point)
        object.__setattr__(self, "zero_point", zero_point)


def choose_activation_params(lo: float, hi: float, *, finest: float = 0.0) -> QuantParams:
    r"""Scale and zero point of an int8 tensor that covers ``[lo, hi]`` and represents 0 exactly.

    .. math:: s = \frac{hi - lo}{255}, \quad z = clamp(rne(-128 - lo / s), -128, 127)

    after the range was widened to contain 0. Rounding z moves the range by at most half a step
    (Jacob et al. 2018, arXiv:1712.05877, section 2.1).

    Parameters
    ----------
    lo, hi : float
        Finite, ``lo <= hi``.
    finest : float
        The scale is at least this, and at least the smallest normal float32.

    Returns
    -------
    QuantParams
        For a range of 0 alone: scale 1 (or `finest`, if that is larger), zero point 0.

    Raises
    ------
    NotFiniteError, RangeError
    """
    if not (math.isfinite(lo) and math.isfinite(hi)):
        raise NotFiniteError(f"a range must be finite, got [{lo}, {hi}]")
    if lo > hi:
        raise RangeError(f"a range must have lo <= hi, got [{lo}, {hi}]")
    lo, hi = min(float(lo), 0.0), max(float(hi), 0.0)
    width = check_in_range(f"the width of the range [{lo}, {hi}]", hi - lo, 0.0, _MAX)
    floor = max(float(np.float32(check_in_range("finest", finest, 0.0, _MAX))), _TINY)
    if width == 0:
        return QuantParams(max(1.0, floor), 0)
    scale = max(float(np.float32(width / 255)), floor)
    return QuantParams(scale, int(np.clip(np.rint(-128 - lo / scale), -128, 127)))


def weight_scales(
    w: np.ndarray,
    granularity: str,
    *,
    bias: np.ndarray | None = None,
    input_scale: float = 1.0,
) -> np.ndarray:
    """Scales of symmetric int8 weights: ``max|w| / 127``.

    Parameters
    ----------
    w : (..., C) ndarray
        The last axis is the output channel.
    granularity : {"per_channel", "per_tensor"}
    bias : (C,) ndarray, optional
        A scale is never below ``|bias| / (input_scale * 2**30)``: channels whose weights are zero
        or tiny beside their bias (a dead channel after folding) then keep a bias that fits int32.
    input_scale : float
        Of the layer's input.

    Returns
    -------
    (C,) or (1,) float32 ndarray
        Where weights and bias are all zero the scale is 1. A scale below the smallest normal
        float32 is raised to it.

    Raises
    ------
    NotFiniteError, InvalidArgumentError
    """
    check_granularity(granularity)
    check_finite("w", w)
    channels = w.shape[-1]
    scales = np.abs(w.reshape(-1, channels)).max(axis=0).astype(np.float64) / _WEIGHT_MAX
    if bias is not None:
        check_finite("bias", check_array("bias", bias, shape=(channels,)))
        scales = np.maximum(scales, np.abs(bias.astype(np.float64)) / (input_scale * _BIAS_STEPS))
    if granularity == "per_tensor":
        scales = scales.max(keepdims=True)
    check_in_range("the largest weight scale", float(scales.max()), 0.0, _MAX)
    return np.where(scales == 0, 1.0, np.maximum(scales, _TINY)).astype(np.float32)


def check_granularity(granularity: str) -> str:
    """Return ``granularity`` if it is one of :data:`GRANULARITIES`."""
    if granularity not in GRANULARITIES:
        raise InvalidArgumentError(
            f"the granularity of weights must be one of {', '.join(GRANULARITIES)}, "
            f"got {granularity!r}"
        )
    return granularity


def quantize_weights(w: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """``clamp(rne(w / scale), -127, 127)`` in float32.

    Parameters
    ----------
    w : (..., C) ndarray
    scales : (C,) or (1,) float32 ndarray

    Returns
    -------
    int8 ndarray of ``w``'s shape

    Raises
    ------
    NotFiniteError, ShapeError
    """
    check_finite("w", w)
    with np.errstate(over="ignore"):  # an infinite quotient clamps like any large one
        codes = np.rint(w.astype(np.float32) / scales.astype(np.float32))
    return np.clip(codes, -_WEIGHT_MAX, _WEIGHT_MAX).astype(np.int8)


def quantize_bias(b: np.ndarray, input_scale: float, scales: np.ndarray) -> np.ndarray:
    """``rne(b / (input_scale * scale))`` in float64.

    Parameters
    ----------
    b : (C,) ndarray
    input_scale : float
    scales : (C,) or (1,) ndarray
        Of the weights.

    Returns
    -------
    (C,) int32 ndarray

    Raises
    ------
    AccumulatorOverflowError
        If a bias does not fit int32; the message states a weight scale that would fit.
    NotFiniteError
    """
    check_finite("bias", b)
    steps = np.broadcast_to(input_scale * np.asarray(scales, np.float64), b.shape)
    codes = np.rint(b.astype(np.float64) / steps)
    if codes.size and np.abs(codes).max() > _INT32_MAX:
        channel = int(np.abs(codes).argmax())
        fits = abs(float(b[channel])) / (input_scale * _BIAS_STEPS)
        raise AccumulatorOverflowError(
            f"channel {channel}: bias {float(b[channel]):g} is {codes[channel]:.4g} steps of "
            f"{steps[channel]:.4g}, beyond int32; a weight scale of {fits:.4g} would fit"
        )
    return codes.astype(np.int32)
