"""TensorFlow Lite Micro with its portable kernels."""

from __future__ import annotations

from kdq_ref.verify.dialect import Dialect, Operator
from kdq_ref.verify.dialects import tflite_activation as activation
from kdq_ref.verify.dialects import tflite_affine as affine
from kdq_ref.verify.dialects import tflite_elementwise as elementwise
from kdq_ref.verify.dialects import tflite_pooling as pooling
from kdq_ref.verify.dialects.litert import DIALECTS as _LITERT
from kdq_ref.verify.dialects.tflite_arithmetic import DOUBLE

MICRO: dict[str, Operator] = {
    "quantize": elementwise.quantize(elementwise.quantized, elementwise.requantized),
    "dequantize": elementwise.dequantize(elementwise.dequantized),
    "dense": affine.fixed_point(DOUBLE),
    "conv2d": affine.fixed_point(DOUBLE),
    "depthwise_conv2d": affine.fixed_point(DOUBLE),
    **pooling.keeping(elementwise.requantized),
    "global_avg_pool": pooling.global_avg_pool,
    "add": elementwise.add,
    "mul": elementwise.mul_in_float64,
    "relu": elementwise.relu_in_float64,
    "relu6": elementwise.relu_of_codes,
    "clip": elementwise.clip_of_codes,
    "sigmoid": activation.fixed_point_sigmoid,
    "tanh": activation.fixed_point_tanh,
    "hard_swish": activation.hard_swish_in_float64,
    "softmax": activation.fixed_point_softmax,
}
"""Operators of the portable kernels."""

_FIXED = (
    "gemmlowp's fixed point: x in Q4, then the function to {bits} bits, half away from zero; the "
    "output's scale is not looked at"
)

DIALECTS = {
    "tflite-micro": Dialect(
        name="tflite-micro",
        runtime="tflite-micro",
        storage="int8",
        summary="double_rounding everywhere, multipliers in float64; sigmoid, tanh and softmax in "
        "fixed point",
        operators=affine.with_int16_refused(MICRO),
        notes={
            **_LITERT["litert-reference"].notes,
            "dense": "double_rounding, M in float64, per tensor and per channel",
            "mul": "double_rounding of s_a * s_b / s_y, formed in float64",
            "sigmoid": _FIXED.format(bits=8) + "; its zero point must be -128",
            "tanh": _FIXED.format(bits=7) + ", nor its zero point",
            "hard_swish": "16-bit fixed point, its multipliers formed in float64; refused where "
            "s_y < s_x / 128",
            "relu": "one double_rounding of s_x / s_y, formed in float64, then the clamp",
            "relu6": "codes clamped by the input's encoding and copied: an output of another "
            "encoding is not what it says",
            "clip": "RELU and RELU6 only",
        },
    )
}
