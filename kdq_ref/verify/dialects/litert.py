"""LiteRT (TensorFlow Lite): its reference kernels, its optimized ones, and with XNNPACK.

Measured on x86-64 with AVX2, where ruy and the vector loops of the optimized kernels round ties up;
a build for another machine may take other loops. What public threads have met, and these dialects
reproduce:

- reference kernels round a dense layer once and everything else twice: CMSIS-NN #214;
- XNNPACK rounds once, LiteRT's own kernels twice, and which one runs is decided operator by
  operator, by the delegate: LiteRT #7441;
- 7984 * 0.00144027, which is 11.499, becomes 12 in two roundings: tensorflow #25087; so TensorFlow
  Lite Micro differs from what was validated in Python: tflite-micro #3252.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kdq_ref.verify.dialect import Dialect, Operator
from kdq_ref.verify.dialects import quantization, xnnpack
from kdq_ref.verify.dialects import tflite_activation as activation
from kdq_ref.verify.dialects import tflite_affine as affine
from kdq_ref.verify.dialects import tflite_elementwise as elementwise
from kdq_ref.verify.dialects import tflite_pooling as pooling
from kdq_ref.verify.dialects.libm import tanhf
from kdq_ref.verify.dialects.tflite_arithmetic import DOUBLE, TIES_UP
from kdq_ref.verify.dialects.xnnpack_tables import is_square
from kdq_ref.verify.network import Encoding, Network, Node

REFERENCE: dict[str, Operator] = {
    "quantize": elementwise.quantize(elementwise.quantized, elementwise.requantized),
    "dequantize": elementwise.dequantize(elementwise.dequantized),
    "dense": affine.dense_in_float64,
    "conv2d": affine.fixed_point(DOUBLE),
    "depthwise_conv2d": affine.fixed_point(DOUBLE),
    **pooling.keeping(elementwise.requantized),
    "global_avg_pool": pooling.global_avg_pool,
    "add": elementwise.add,
    "mul": elementwise.mul,
    "relu": elementwise.relu,
    "relu6": elementwise.relu,
    "clip": elementwise.relu,
    "sigmoid": activation.by_table(activation.sigmoid),
    "tanh": activation.by_table(tanhf),
    "hard_swish": activation.hard_swish,
    "softmax": activation.fixed_point_softmax,
}
"""Operators of the reference kernels."""


def _conv2d(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    # Convolutions in groups have no optimized kernel.
    kernel = affine.fixed_point(DOUBLE if node.groups > 1 else TIES_UP)
    return kernel(network, node, inputs)


_dense_int8 = affine.fixed_point(TIES_UP, affine.float32_product_multiplier)


def _dense(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    # int16 with biases of int64 goes to the reference kernel.
    wide = network.encodings[node.inputs[0]].dtype == "int16"
    return (affine.dense_in_float64 if wide else _dense_int8)(network, node, inputs)


BUILTIN: dict[str, Operator] = {
    **REFERENCE,
    "quantize": elementwise.quantize(
        elementwise.quantized_with_vectors, elementwise.requantized_with_vectors
    ),
    "dequantize": elementwise.dequantize(elementwise.dequantized_with_vectors),
    "dense": _dense,
    "conv2d": _conv2d,
    "depthwise_conv2d": affine.fixed_point(affine.split_by_channels(TIES_UP, DOUBLE, 8)),
    **pooling.keeping(elementwise.requantized_with_vectors),
    "add": elementwise.add_with_vectors,
    "mul": elementwise.mul_with_vectors,
    "softmax": activation.float_softmax,
}
"""Operators of the optimized kernels."""


def _where(takes: Callable[[Network, Node], bool], delegated: Operator, own: Operator) -> Operator:
    """An operator that XNNPACK runs where the delegate takes it, and LiteRT itself where not."""

    def operator(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        return (delegated if takes(network, node) else own)(network, node, inputs)

    return operator


def _changed(codes: np.ndarray, start: Encoding, end: Encoding) -> np.ndarray:
    if xnnpack.takes_change(start, end):
        return xnnpack.requantized(codes, start, end)
    return elementwise.requantized_with_vectors(codes, start, end)


DELEGATED: dict[str, Operator] = {
    **BUILTIN,
    "quantize": elementwise.quantize(xnnpack.quantized, _changed),
    "dequantize": elementwise.dequantize(quantization.dequantize),
    "dense": _where(xnnpack.takes_affine, xnnpack.affine, _dense),
    "conv2d": _where(xnnpack.takes_affine, xnnpack.affine, _conv2d),
    "depthwise_conv2d": _where(xnnpack.takes_affine, xnnpack.affine, BUILTIN["depthwise_conv2d"]),
    **pooling.keeping(_changed, xnnpack.limits),
    "global_avg_pool": xnnpack.global_avg_pool,
    "add": _where(xnnpack.takes_add, xnnpack.add, elementwise.add_with_vectors),
    "sigmoid": xnnpack.by_table(xnnpack.sigmoid),
    "tanh": xnnpack.by_table(tanhf),
    "mul": _where(
        xnnpack.takes_mul,
        _where(is_square, xnnpack.square, xnnpack.mul),
        elementwise.mul_with_vectors,
    ),
}
"""Operators of XNNPACK, and of LiteRT where the delegate leaves them to it."""

_TABLE = (
    "a table of 256 codes in float32: round(f(s_x * (q - z_x)) * (1 / s_y)) + z_y, half away from "
    "zero; expf and tanhf are glibc's, 2.28 to 2.40: the runtime takes the C library's"
)
_COMMON = {
    "max_pool2d": "codes; a QUANTIZE behind it where the encodings differ",
    "avg_pool2d": "the sum of the codes, zero point and all, over their number, half away from "
    "zero; padding is left out; a QUANTIZE behind it where the encodings differ",
    "concat": "a QUANTIZE before it for every input of another encoding",
    "flatten": "codes; a QUANTIZE behind it where the encodings differ",
    "relu": "one double_rounding of s_x / s_y, formed in float32, then the clamp",
    "hard_swish": "16-bit fixed point (reference/hard_swish.h); refused where s_y < s_x / 128",
}
_NOTES_REFERENCE = {
    **_COMMON,
    "quantize": "of reals round(x / s) in float32, half away from zero; of codes one "
    "double_rounding of s_x / s_y, formed in float64",
    "dequantize": "s * (q - z) in float64, rounded to float32 once",
    "dense": "float64_half_away, per tensor and per channel; a result beyond int32 becomes the "
    "smallest code (the conversion of x86)",
    "conv2d": "double_rounding, M in float64; an accumulator shifted left wraps",
    "depthwise_conv2d": "as conv2d",
    "global_avg_pool": "double_rounding; the mantissa of s_x / s_y is divided by the number of "
    "positions and cut",
    "add": "inputs times 2**20, each double_rounding to twice the larger scale, their sum again",
    "mul": "double_rounding of s_a * s_b / s_y, formed in float32",
    "sigmoid": _TABLE,
    "tanh": _TABLE,
    "softmax": "gemmlowp's fixed point: exponentials in Q0, their sum in Q12, a reciprocal by "
    "Newton's method (reference/softmax.h); a sum of 512 (as many equal codes) aborts the process",
}
_NOTES_BUILTIN = {
    **_NOTES_REFERENCE,
    "quantize": "of reals, in blocks of 8 rne(x * (1 / s)) in float32, the end of the flat batch "
    "round(x / s) in float64; of codes, in blocks of 16 double_rounding_ties_up, the end "
    "double_rounding",
    "dequantize": "in blocks of 8 s * q + (-z * s) in float32, the end as in the reference",
    "dense": "double_rounding_ties_up (ruy, AVX2); per tensor s_x * s_w is rounded to float32",
    "conv2d": "double_rounding_ties_up (ruy, AVX2); in groups the reference kernel",
    "depthwise_conv2d": "double_rounding_ties_up for whole blocks of 8 channels, double_rounding "
    "for the rest",
    "add": "in blocks of 16 an input is rounded once where the reference rounds it twice, and a "
    "sum beyond int16 wraps; the end of the flat batch as in the reference",
    "mul": "as the reference, but in blocks of 16 the zero point is added to a saturated int16 "
    "without saturating: a product that is too large may become the smallest code",
    "softmax": "a table of expf, sums in the order of the classes, all in float32",
}
_NOTES_DELEGATED = {
    **_NOTES_BUILTIN,
    "quantize": "of reals rne(x * (1 / s)) in float32; of codes ((q - z_x) * m + 128) >> 8 with "
    "m = rne(256 * s_x / s_y); litert-builtin where s_x / s_y is not in [1/256, 128]",
    "dequantize": "(q - z) * s in float32",
    "dense": "float32_rne, zero point behind the rounding; the model is refused where M >= 256",
    "conv2d": "as dense",
    "depthwise_conv2d": "as dense",
    "max_pool2d": "codes; a bound of a fused clamp is rne(bound / s + z), the zero point inside "
    "the rounding, as in every operator of XNNPACK; a QUANTIZE where the encodings differ",
    "avg_pool2d": "not delegated: litert-builtin, and XNNPACK's QUANTIZE behind it",
    "global_avg_pool": "rne(sum(q) * m + (z_y - z_x * n * m)) in float32, m = s_x / s_y * (1 / n): "
    "the zero point is inside the rounding",
    "add": "multipliers of 21 bits at the most, half up; litert-builtin where s_x / s_y is not in "
    "[2**-10, 2**8)",
    "mul": "float32_rne, but a value times itself that is not behind a chain of tables "
    "rne(x * x * (1 / s_y) + z_y) in float32; litert-builtin where s_a * s_b / s_y is not in "
    "[2**-16, 2**8)",
    "relu": "not delegated: litert-builtin",
    "sigmoid": "a table: rne(f(x) * (1 / s_y) + z_y) in float32, f in float64; the zero point is "
    "inside the rounding",
    "tanh": "a table: rne(f(x) * (1 / s_y) + z_y) in float32",
    "hard_swish": "not delegated: litert-builtin",
    "softmax": "not delegated: litert-builtin",
}


def _with_kinds_of_relu(notes: dict[str, str]) -> dict[str, str]:
    clip = f"{notes['relu']}; (-1, 1), (0, 1) and (0, 6) are all there is"
    return {**notes, "relu6": notes["relu"], "clip": clip}


DIALECTS = {
    "litert": Dialect(
        name="litert",
        runtime="litert",
        storage="int8",
        summary="XNNPACK where its delegate takes the operator: float32_rne, multipliers in "
        "float32; what it leaves runs in litert-builtin",
        operators=affine.with_int16_refused(DELEGATED),
        notes=_with_kinds_of_relu(_NOTES_DELEGATED),
    ),
    "litert-builtin": Dialect(
        name="litert-builtin",
        runtime="litert-builtin",
        storage="int8",
        summary="optimized kernels and ruy: double_rounding_ties_up in vectors, double_rounding "
        "in the ends that do not fill one",
        operators=affine.with_int16_refused(BUILTIN),
        notes=_with_kinds_of_relu(_NOTES_BUILTIN),
    ),
    "litert-reference": Dialect(
        name="litert-reference",
        runtime="litert-reference",
        storage="int8",
        summary="reference kernels: double_rounding, but float64_half_away in dense layers",
        operators=affine.with_int16_refused(REFERENCE),
        notes=_with_kinds_of_relu(_NOTES_REFERENCE),
    ),
}
