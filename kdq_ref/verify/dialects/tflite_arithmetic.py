"""Integer arithmetic that the kernels of TensorFlow Lite share.

Sources are named by their files in ``tensorflow/lite/kernels``: LiteRT and TensorFlow Lite Micro
carry the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.rounding import (
    Constants,
    Rule,
    double_rounding,
    double_rounding_ties_up,
    single_rounding,
)
from kdq_ref.verify.network import Encoding

Scaling = Callable[[np.ndarray, Constants], np.ndarray]
"""``scaling(acc, constants)``: int32 accumulators (..., C) to int64, before the zero point."""


def int32(value: np.ndarray) -> np.ndarray:
    """Wrap int64 ``value`` to the range of int32, as a sum in a 32-bit register does."""
    return value.astype(np.int32).astype(np.int64)


def quantized_multiplier(real: np.ndarray | float) -> Constants:
    """Mantissa and exponent of positive float64 multipliers (``QuantizeMultiplier``).

    Raises
    ------
    RangeError
        For a multiplier of ``2**30`` or more.
    """
    return single_rounding.constants(1.0, real, 1.0)


def with_rule(rule: Rule) -> Scaling:
    """Scaling by a fixed-point rule whose left shift wraps, as the runtimes' own does."""

    def scale(acc: np.ndarray, constants: Constants) -> np.ndarray:
        left = np.maximum(constants.exponent, 0)
        rest = replace(constants, exponent=constants.exponent - left)
        return rule.apply(int32(acc << left.astype(np.int64)), rest)

    return scale


DOUBLE = with_rule(double_rounding)
"""``MultiplyByQuantizedMultiplier``: half up, then half away from zero."""

TIES_UP = with_rule(double_rounding_ties_up)
"""The same with ``vrshl`` instead of ``RoundingDivideByPOT``: half up both times."""


def affine_multipliers(start: Encoding, weight_scales: np.ndarray, end: Encoding) -> Constants:
    """Constants of ``s_x * s_w / s_y`` in float64 (``PopulateConvolutionQuantizationParams``)."""
    scales = np.asarray(weight_scales, np.float32).astype(np.float64)
    return quantized_multiplier(start.scale * scales / end.scale)


def round_half_away(value: np.ndarray) -> np.ndarray:
    """C's ``round``, in the dtype of ``value``."""
    whole = np.trunc(value)
    rest = value - whole  # exact
    return whole + (rest >= 0.5) - (rest <= -0.5)


def converted(value: np.ndarray) -> np.ndarray:
    """Whole float ``value`` as int32 the way x86 converts it: what does not fit is INT32_MIN."""
    fits = (value >= -(2.0**31)) & (value < 2.0**31)
    return np.where(fits, value, -(2.0**31)).astype(np.int64)


def activation_limits(encoding: Encoding, clamp: tuple[float, float] | None) -> tuple[int, int]:
    """Codes that a fused activation clamps to (``CalculateActivationRangeQuantized``).

    A bound is divided by the scale in float32, rounded half away from zero, and only then moved by
    the zero point.

    Raises
    ------
    UnsupportedError
        For a bound of more than int32 can count in steps of the scale, as the runtimes do.
    """
    low, high = encoding.limits
    if clamp is None:
        return low, high
    codes = [_code(bound, encoding) for bound in clamp]
    return max(low, codes[0]), min(high, codes[1])


def _code(bound: float, encoding: Encoding) -> int:
    if np.isinf(bound):
        return encoding.limits[bound > 0]
    steps = round_half_away(np.float32(bound) / np.float32(encoding.scale))
    if not -(2.0**31) <= steps <= 2.0**31:
        raise UnsupportedError(
            f"TensorFlow Lite refuses a fused clamp at {bound} where the scale is {encoding.scale}"
        )
    return int(steps) + encoding.zero_point


def finished(
    scaled: np.ndarray, encoding: Encoding, clamp: tuple[float, float] | None = None
) -> np.ndarray:
    """Add the zero point in int32 and clamp; returns codes."""
    low, high = activation_limits(encoding, clamp)
    return np.clip(int32(scaled + encoding.zero_point), low, high).astype(encoding.dtype)


def check_sum_scales(name: str, larger: float, end: float) -> None:
    """Refuse a sum that makes TensorFlow Lite end the process (``TFLITE_CHECK_LT``).

    Parameters
    ----------
    name : str
        Of the node.
    larger, end : float
        The larger scale of the inputs, and the output's.

    Raises
    ------
    UnsupportedError
        If twice the larger scale reaches ``2**20`` times the output's.
    """
    if 2 * larger >= 2.0**20 * end:
        raise UnsupportedError(
            f"node {name!r} adds in steps of {larger} to steps of {end}: from a quotient of 2**19 "
            f"on, TensorFlow Lite aborts the process; use a larger output scale"
        )
