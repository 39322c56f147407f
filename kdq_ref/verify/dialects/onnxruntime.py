"""ONNX Runtime on x86-64 with AVX2 and FMA: its CPU provider and the MLAS kernels below it.

Sources are paths in its repository; ``mlas`` is ``onnxruntime/core/mlas/lib``.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from kdq_ref.rounding import float32_rne
from kdq_ref.verify.accumulators import Product, accumulate, biased, exact_product, weight_of
from kdq_ref.verify.dialect import AVX2, Dialect, Operator
from kdq_ref.verify.dialects import mlas_activations, mlas_softmax, moves
from kdq_ref.verify.dialects.pairs import saturating_product
from kdq_ref.verify.dialects.quantization import (
    centred,
    codes_of,
    dequantize,
    look_up,
    quantize,
    saturate,
)
from kdq_ref.verify.dialects.windows import window_counts, window_terms
from kdq_ref.verify.float_steps import fma32, to_int32
from kdq_ref.verify.network import Network, Node, real_bounds

Inputs = tuple[np.ndarray, ...]


def _affine(product: Product, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    # Depthwise, or one input and one output channel: a kernel of its own, which is exact.
    if node.operator != "dense":
        _, _, c_in, c_out = weight_of(node).codes.shape
        groups = inputs[0].shape[3] if node.operator == "depthwise_conv2d" else node.groups
        if c_in == 1 and c_out == groups:
            product = exact_product
    acc = biased(node, accumulate(network, node, inputs[0], product))
    scale = network.encodings[node.inputs[0]].scale
    constants = float32_rne.constants(scale, weight_of(node).scales, node.output.scale)
    return saturate(node, float32_rne.apply(acc, constants) + node.output.zero_point)


def _quantize(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    return quantize(inputs[0], node.output)


def _avg_pool(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    source = network.encodings[node.inputs[0]]
    total = np.float32(0)
    for term in window_terms(node, dequantize(inputs[0], source)):
        total = total + term
    mean = total / window_counts(node, inputs[0]).astype(np.float32)
    with np.errstate(over="ignore"):
        scaled = mean / np.float32(node.output.scale) + np.float32(node.output.zero_point)
    return saturate(node, to_int32(scaled))


def _global_avg_pool(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    acc = centred(network, node, inputs[0]).sum(axis=(1, 2))
    size = np.float32(inputs[0].shape[1] * inputs[0].shape[2])
    source = np.float32(network.encodings[node.inputs[0]].scale)
    scale = source / (np.float32(node.output.scale) * size)
    scaled = acc.astype(np.float32) * scale
    bounded = np.clip(scaled, np.float32(-(2.0**31)), np.float32(2.0**31))
    return saturate(node, np.rint(bounded).astype(np.int64) + node.output.zero_point)


def _add(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    a, b = (network.encodings[name] for name in node.inputs)
    out = np.float32(node.output.scale)
    ratio_a, ratio_b = np.float32(a.scale) / out, np.float32(b.scale) / out
    offset = fma32(ratio_a, a.zero_point, ratio_b * np.float32(b.zero_point))
    fixed = np.float32(node.output.zero_point) - offset
    total = fma32(inputs[1].astype(np.float32), ratio_b, fixed)
    return saturate(node, to_int32(fma32(inputs[0].astype(np.float32), ratio_a, total)))


def _mul(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    a, b = (np.float32(network.encodings[name].scale) for name in node.inputs)
    ratio = a * b / np.float32(node.output.scale)
    product = centred(network, node, inputs[0]) * centred(network, node, inputs[1], 1)
    with np.errstate(over="ignore"):
        scaled = product.astype(np.float32) * ratio + np.float32(node.output.zero_point)
    return saturate(node, to_int32(scaled))


def _concat(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    parts = []
    for name, codes in zip(node.inputs, inputs, strict=True):
        source = network.encodings[name]
        table = codes_of(source)
        if (source.scale, source.zero_point) != (node.output.scale, node.output.zero_point):
            table = quantize(dequantize(table, source), node.output)
        parts.append(look_up(table, codes, source))
    return saturate(node, np.concatenate(parts, axis=-1).astype(np.int64))


def _activation(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    source = network.encodings[node.inputs[0]]
    reals = dequantize(codes_of(source), source)
    if node.operator in mlas_activations.FUNCTIONS:
        active = mlas_activations.FUNCTIONS[node.operator](reals)
    else:
        low, high = real_bounds(node)
        active = np.minimum(np.maximum(reals, np.float32(low)), np.float32(high))
    return look_up(quantize(active, node.output), inputs[0], source)


def _softmax(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    return mlas_softmax.softmax(inputs[0], network.encodings[node.inputs[0]], node.output)


def _operators(product: Product) -> dict[str, Operator]:
    affine = partial(_affine, product)
    return {
        "quantize": _quantize,
        "dequantize": moves.dequantize,
        "dense": affine,
        "conv2d": affine,
        "depthwise_conv2d": affine,
        "max_pool2d": moves.max_pool,
        "avg_pool2d": _avg_pool,
        "global_avg_pool": _global_avg_pool,
        "add": _add,
        "mul": _mul,
        "concat": _concat,
        "relu": _activation,
        "relu6": _activation,
        "clip": _activation,
        "sigmoid": _activation,
        "tanh": _activation,
        "hard_swish": _activation,
        "softmax": _softmax,
        "flatten": moves.flatten,
    }


_AFFINE = (
    "rne(float32(acc + bias) * float32(float32(s_x * s_w) / s_y)) + zp, bias int32; "
    "MlasRequantizeOutput (mlas/quantize.cpp)"
)
_TABLE = "a float operator between DequantizeLinear and QuantizeLinear"
_NOTES = {
    "quantize": "clamp(rne(x / s)) + zp in float32; MlasQuantizeLinear (mlas/quantize.cpp)",
    "dequantize": "s * float32(q - zp); MlasDequantizeLinear",
    "dense": _AFFINE,
    "conv2d": _AFFINE,
    "depthwise_conv2d": _AFFINE,
    "max_pool2d": "largest code",
    "avg_pool2d": "dequantize, sum in float32 row by row, divide by the positions inside, "
    "rne(mean / s_y + zp): the zero point is added before rounding; QLinearPool "
    "(contrib_ops/cpu/quantization/qlinear_pool.cc)",
    "global_avg_pool": "rne(float32(acc) * float32(s_x / (s_y * size))) + zp (mlas/qlgavgpool.cpp)",
    "add": "rne(fma(a, s_a/s_y, fma(b, s_b/s_y, zp_y - (s_a/s_y zp_a + s_b/s_y zp_b)))): the zero "
    "point is inside the rounding; what leaves int32 becomes the smallest code "
    "(mlas/intrinsics/avx2/qladd_avx2.cpp)",
    "mul": "rne(float32(product) * float32(float32(s_a s_b) / s_y) + zp): the zero point is added "
    "before rounding; what leaves int32 becomes the smallest code (mlas/qlmul.cpp)",
    "concat": "a table of quantize(dequantize(q)) per input; codes are copied where scale and zero "
    "point agree (contrib_ops/cpu/quantization/qlinear_concat.cc)",
    "relu": _TABLE,
    "relu6": _TABLE,
    "clip": _TABLE,
    "sigmoid": "a table: quantize(p(x)/q(x) + 1/2), rational, with FMA; MlasComputeLogistic",
    "tanh": f"{_TABLE}: rational, with FMA; MlasComputeTanh",
    "hard_swish": f"{_TABLE}: x * clamp(x/6 + 1/2), each step in float32",
    "softmax": "a float32 table of exponentials, a float32 sum in order of the classes, "
    "rne(T floor(1/s_y) / sum) + zp (contrib_ops/cpu/quantization/qlinear_softmax.cc)",
    "flatten": "codes stay",
}
_SATURATING = (
    "uint8 * int8 in pairs along (kh, kw, channel), each pair sum saturated to int16 "
    "(vpmaddubsw), their sum minus zp * sum(w); then "
)
_SATURATED_NOTES = {
    "dense": _SATURATING + _AFFINE,
    "conv2d": _SATURATING + _AFFINE + "; exact where a group has one input and one output channel",
    "depthwise_conv2d": "exact (MlasConvDepthwise) unless an input channel has several filters: "
    + _SATURATING
    + _AFFINE,
}

DIALECTS = {
    dialect.name: dialect
    for dialect in (
        Dialect(
            name="onnxruntime",
            runtime="onnxruntime-exact",
            storage="uint8",
            summary="ONNX Runtime with session.x64quantprecision=1: float32_rne on exact sums",
            operators=_operators(exact_product),
            notes=_NOTES,
            processor=AVX2,
        ),
        Dialect(
            name="onnxruntime-s8",
            runtime="onnxruntime",
            storage="int8",
            summary="ONNX Runtime with int8 activations: float32_rne on exact sums",
            operators=_operators(exact_product),
            notes=_NOTES,
            processor=AVX2,
        ),
        Dialect(
            name="onnxruntime-avx2-default",
            runtime="onnxruntime",
            storage="uint8",
            summary="ONNX Runtime as it comes, on x86 with AVX2 and without VNNI: pair sums "
            "saturate to int16",
            operators=_operators(saturating_product),
            notes=_NOTES | _SATURATED_NOTES,
            processor=AVX2,
        ),
    )
}
