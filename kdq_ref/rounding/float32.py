"""The rule of runtimes that requantize in single precision."""

from __future__ import annotations

import numpy as np

from kdq_ref.errors import NotFiniteError, RangeError
from kdq_ref.rounding.rule import Constants, Rule


def _constants(
    input_scale: np.ndarray, weight_scale: np.ndarray, output_scale: np.ndarray
) -> Constants:
    # Each step rounds to float32, in this order: it is what the runtimes do.
    with np.errstate(all="ignore"):  # a multiplier that is not finite is reported by the check
        product = input_scale.astype(np.float32) * weight_scale.astype(np.float32)
        scale = product / output_scale.astype(np.float32)
    zeros = np.zeros(scale.shape, np.int32)
    return Constants(multiplier=zeros, exponent=zeros.copy(), scale=scale)


def _check(constants: Constants) -> None:
    if not np.isfinite(constants.scale).all():
        raise NotFiniteError("a float32 multiplier is not finite; is the output scale right?")
    if not (constants.scale >= 0).all():
        raise RangeError(f"a float32 multiplier must not be negative, got {constants.scale.min()}")


def _apply(acc: np.ndarray, constants: Constants) -> np.ndarray:
    with np.errstate(over="ignore"):  # infinity clamps like any large value
        scaled = acc.astype(np.float32) * constants.scale
    # Clamped so that the conversion is defined; any int8 clamp behind is unaffected.
    return np.rint(np.clip(scaled, np.float32(-(2.0**31)), np.float32(2.0**31))).astype(np.int64)


float32_rne = Rule(
    name="float32_rne",
    c_id=2,
    formula="rne(float32(acc) * float32(float32(s_x * s_w) / s_y))",
    source="ONNX Runtime MLAS (MlasRequantizeOutput), XNNPACK fp32 kernels",
    _constants=_constants,
    _check=_check,
    _apply=_apply,
)
"""Multiply in float32 and round half to even; inexact for accumulators above 2**24."""
