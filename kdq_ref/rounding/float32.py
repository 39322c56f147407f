"""Rules of runtimes that requantize in single precision."""

from __future__ import annotations

import numpy as np

from kdq_ref.errors import NotFiniteError, RangeError
from kdq_ref.rounding.rule import Constants, Rule

_LIMIT = np.float32(2.0**31)


def form_multiplier(
    input_scale: np.ndarray, weight_scale: np.ndarray, output_scale: np.ndarray
) -> np.ndarray:
    """``float32(s_x * s_w) / s_y`` : (C,) float32; may be infinite, which the rules refuse."""
    # Each step rounds to float32, in this order: it is what the runtimes do.
    with np.errstate(all="ignore"):
        product = input_scale.astype(np.float32) * weight_scale.astype(np.float32)
        return product / output_scale.astype(np.float32)


def _constants(
    input_scale: np.ndarray, weight_scale: np.ndarray, output_scale: np.ndarray
) -> Constants:
    scale = form_multiplier(input_scale, weight_scale, output_scale)
    zeros = np.zeros(scale.shape, np.int32)
    return Constants(multiplier=zeros, exponent=zeros.copy(), scale=scale)


def check_multiplier(scale: np.ndarray) -> None:
    """Raise NotFiniteError or RangeError unless all of ``scale`` is finite and not negative."""
    if not np.isfinite(scale).all():
        raise NotFiniteError(
            f"a {scale.dtype.name} multiplier is not finite; is the output scale right?"
        )
    if not (scale >= 0).all():
        raise RangeError(f"a {scale.dtype.name} multiplier must not be negative, got {scale.min()}")


def _check(constants: Constants) -> None:
    check_multiplier(constants.scale)


def _apply(acc: np.ndarray, constants: Constants) -> np.ndarray:
    with np.errstate(over="ignore"):  # infinity clamps like any large value
        scaled = acc.astype(np.float32) * constants.scale
    # Clamped so that the conversion is defined; any int8 clamp behind is unaffected.
    return np.rint(np.clip(scaled, -_LIMIT, _LIMIT)).astype(np.int64)


def _check_fbgemm(constants: Constants) -> None:
    check_multiplier(constants.scale)
    if not np.isfinite(constants.bias).all():
        raise NotFiniteError("a bias divided by input_scale * weight_scale is beyond float32")


def _bias_fbgemm(bias: np.ndarray, input_scale: np.ndarray, weight_scale: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):  # reported by the check
        product = input_scale.astype(np.float32) * weight_scale.astype(np.float32)
        if product.ndim == 0:
            return bias.astype(np.float32) * (np.float32(1) / product)
        return bias.astype(np.float32) / product


def _apply_fbgemm(acc: np.ndarray, constants: Constants) -> np.ndarray:
    with np.errstate(over="ignore"):
        scaled = (acc.astype(np.float32) + constants.bias) * constants.scale
    # cvtps2dq returns INT32_MIN for all that does not fit, also for large positive values.
    fits = (scaled >= -_LIMIT) & (scaled < _LIMIT)
    return np.rint(np.where(fits, scaled, -_LIMIT)).astype(np.int64)


float32_rne = Rule(
    name="float32_rne",
    c_id=2,
    formula="rne(float32(acc) * float32(float32(s_x * s_w) / s_y))",
    source="ONNX Runtime MLAS (MlasRequantizeOutput, core/mlas/lib/quantize.cpp), XNNPACK's fp32 "
    "kernels (src/qs8-requantization/fp32-*.c), PyTorch's copy of QNNPACK",
    ties="to even",
    uses=("scale",),
    limits=(0.0, float(np.finfo(np.float32).max)),
    _constants=_constants,
    _check=_check,
    _apply=_apply,
)
"""Multiply in float32 and round half to even; inexact for accumulators above 2**24."""

fbgemm = Rule(
    name="fbgemm",
    c_id=4,
    formula="rne((float32(acc) + bias / (s_x * s_w)) * float32(float32(s_x * s_w) / s_y)) in "
    "float32, acc without bias; -2**31 where that does not fit int32",
    source="FBGEMM requantizeOutputProcessingAvx2 (src/QuantUtilsAvx2.cc) as PyTorch calls it on "
    "x86 (ATen/native/quantized/cpu/qlinear.cpp, qconv.cpp)",
    ties="to even",
    uses=("scale", "bias"),
    limits=(0.0, float(np.finfo(np.float32).max)),
    _constants=_constants,
    _check=_check_fbgemm,
    _apply=_apply_fbgemm,
    _bias=_bias_fbgemm,
)
"""As ``float32_rne``, but the bias is real: added in float32, after the conversion.

One weight scale for all: the bias is multiplied by ``1 / (s_x * s_w)``, else it is divided.
"""
