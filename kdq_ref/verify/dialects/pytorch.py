"""PyTorch's eager quantized operators on x86-64 with AVX2 and FMA.

Sources are paths in its repository, below ``aten/src/ATen/native/quantized``, and in FBGEMM's.
"""

from __future__ import annotations

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.accumulators import accumulate, weight_of
from kdq_ref.verify.dialect import AVX2, Dialect, Operator
from kdq_ref.verify.dialects import moves
from kdq_ref.verify.dialects.pairs import saturating_product
from kdq_ref.verify.dialects.pytorch_activations import (
    FUNCTIONS,
    TABLE_FUNCTIONS,
    VECTOR_FUNCTIONS,
)
from kdq_ref.verify.dialects.quantization import centred, codes_of, dequantize, look_up, saturate
from kdq_ref.verify.dialects.windows import window_counts, window_terms
from kdq_ref.verify.float_steps import fma32, to_int32
from kdq_ref.verify.network import Encoding, Network, Node, code_bounds, real_bias, real_bounds

Inputs = tuple[np.ndarray, ...]

_FAR = np.float32(1e9)
"""Steps beyond which a result saturates anyway."""

_INT32_SHIFT = 31

_LARGEST_FLOAT = np.float32(2**31 - 128)
"""Below ``2**31``: what kernels clamp to before they convert to int32."""

_BLOCK = 64
"""Elements of a vectorized step of TensorIterator: two registers of uint8."""

_CODES = 32
"""Elements of a register of uint8."""

_FLOATS = 8
"""Elements of a register of float32."""


def quantize_vectors(x: np.ndarray, encoding: Encoding) -> np.ndarray:
    """``rne(x * float32(1 / scale)) + zp``, clamped: what kernels do with whole registers.

    The sum wraps around: what is beyond ``2**31`` steps gets the smallest code if ``zp`` is 128 or
    more.
    """
    inverse = np.float32(1) / np.float32(encoding.scale)
    with np.errstate(over="ignore"):
        steps = to_int32(np.minimum(x * inverse, _LARGEST_FLOAT))
    total = (steps + encoding.zero_point).astype(np.int32)
    return _clipped(total, encoding)


def quantize_alone(x: np.ndarray, encoding: Encoding) -> np.ndarray:
    """``rne(zp + x * float32(1 / scale))``, clamped: an element that does not fill a register."""
    inverse = np.float32(1) / np.float32(encoding.scale)
    with np.errstate(over="ignore"):
        scaled = np.clip(x * inverse, -_FAR, _FAR) + np.float32(encoding.zero_point)
    return _clipped(np.rint(scaled).astype(np.int64), encoding)


def quantize_fused(x: np.ndarray, encoding: Encoding) -> np.ndarray:
    """``rne(fma(x, float32(1 / scale), zp))``, clamped: ``fbgemm::Quantize`` of an array."""
    inverse = np.float32(1) / np.float32(encoding.scale)
    far = _FAR * np.float32(encoding.scale)
    scaled = fma32(np.clip(x, -far, far), inverse, np.float32(encoding.zero_point))
    return _clipped(np.rint(scaled).astype(np.int64), encoding)


def _in_registers(length: int) -> np.ndarray:
    """Which elements of a row fill registers of float32."""
    return np.arange(length) < length // _FLOATS * _FLOATS


def _clipped(steps: np.ndarray, encoding: Encoding) -> np.ndarray:
    return np.clip(steps, *encoding.limits).astype(encoding.dtype)


def _fused_dequantize(codes: np.ndarray, encoding: Encoding) -> np.ndarray:
    """``fma(scale, code, -float32(scale * zp))``: vectors; a lone element subtracts first."""
    scale = np.float32(encoding.scale)
    return fma32(codes.astype(np.float32), scale, -(scale * np.float32(encoding.zero_point)))


def _requantize(node: Node, scaled: np.ndarray) -> np.ndarray:
    """Round to int32, saturate to int16, add the zero point, clamp."""
    steps = np.clip(to_int32(scaled), -(2**15), 2**15 - 1)
    return saturate(node, steps + node.output.zero_point)


def _fbgemm_affine(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    acc = accumulate(network, node, inputs[0], saturating_product).astype(np.float32)
    source, weight = np.float32(network.encodings[node.inputs[0]].scale), weight_of(node)
    scales, bias = source * weight.scales, real_bias(network, node)
    if bias is not None and len(scales) > 1:
        acc = acc + bias / scales
    elif bias is not None:
        # Per tensor a product with the inverse, fused with the addition by the compiler.
        inverse = np.float32(1 / float(scales[0]))
        acc = fma32(np.broadcast_to(bias, acc.shape), inverse, acc)
    with np.errstate(over="ignore"):
        return _requantize(node, acc * (scales / np.float32(node.output.scale)))


def _qnnpack_affine(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    acc = accumulate(network, node, inputs[0])
    scales = np.float32(network.encodings[node.inputs[0]].scale) * weight_of(node).scales
    bias = real_bias(network, node)
    if bias is not None:
        acc = acc + np.rint(bias * (np.float32(1) / scales)).astype(np.int64)
    multiplier = scales * (np.float32(1) / np.float32(node.output.scale))
    with np.errstate(over="ignore"):
        return _requantize(node, acc.astype(np.float32) * multiplier)


def _quantize(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    return quantize_fused(inputs[0], node.output)


def _average(node: Node, acc: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Scale the sums of a channels-last tensor by ``1 / size``; the last channels one by one."""
    channels = acc.shape[-1]
    multiplier = np.float32(1) / size.astype(np.float32)
    # A lone element is quantized with the scale 1 / multiplier, whose inverse is taken again.
    lone = np.float32(1) / (np.float32(1) / multiplier)
    vectors = _in_registers(channels)
    zero_point, reals = node.output.zero_point, acc.astype(np.float32)
    together = np.rint(reals * multiplier) + zero_point
    alone = np.rint(reals * lone + np.float32(zero_point))
    return saturate(node, np.where(vectors, together, alone).astype(np.int64))


def _avg_pool(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    acc = sum(window_terms(node, centred(network, node, inputs[0])), np.int64(0))
    return _average(node, np.asarray(acc), window_counts(node, inputs[0]))


def _qnnpack_avg_pool(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    acc = sum(window_terms(node, centred(network, node, inputs[0])), np.int64(0))
    size, scale = node.kernel[0] * node.kernel[1], np.float32(node.output.scale)
    return _requantize(node, acc.astype(np.float32) * (scale / (scale * np.float32(size))))


def _global_avg_pool(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    acc = centred(network, node, inputs[0]).sum(axis=(1, 2)).astype(np.float32)
    # The scale is 1 / (1 / size), and its inverse is taken again.
    size = np.float32(inputs[0].shape[1] * inputs[0].shape[2])
    scale = np.float32(1) / (np.float32(1) / size)
    encoding = Encoding(node.output.dtype, float(scale), node.output.zero_point)
    together, alone = quantize_fused(acc, encoding), quantize_alone(acc, encoding)
    return saturate(node, np.where(_in_registers(acc.shape[-1]), together, alone).astype(np.int64))


def _add(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    a, b = (network.encodings[name] for name in node.inputs)
    flat = [codes.reshape(-1) for codes in inputs]
    whole = flat[0].size // _BLOCK * _BLOCK
    vectors = _fused_dequantize(flat[0][:whole], a) + _fused_dequantize(flat[1][:whole], b)
    rest = dequantize(flat[0][whole:], a) + dequantize(flat[1][whole:], b)
    parts = quantize_vectors(vectors, node.output), quantize_alone(rest, node.output)
    return saturate(node, np.concatenate(parts).reshape(inputs[0].shape).astype(np.int64))


def _qnnpack_add(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    scales = [np.float32(network.encodings[name].scale) for name in node.inputs]
    ratios = [scale / np.float32(node.output.scale) for scale in scales]
    # The larger multiplier has 22 bits.
    shift = 21 - (int(np.frexp(max(ratios))[1]) - 1)
    if shift > _INT32_SHIFT:
        raise UnsupportedError(
            f"QNNPACK shifts a sum of 32 bits by {shift}, which C leaves undefined: the output's "
            f"scale {node.output.scale} is too far above those of the inputs"
        )
    a, b = (int(np.rint(ratio * np.float32(2.0**shift))) for ratio in ratios)
    acc = centred(network, node, inputs[0]) * a + centred(network, node, inputs[1], 1) * b
    # Half away from zero.
    remainder = (acc & ((1 << shift) - 1)) - (acc < 0)
    steps = (acc >> shift) + (remainder > (1 << shift - 1) - 1)
    return saturate(node, steps + node.output.zero_point)


def _mul(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    a, b = (np.float32(network.encodings[name].scale) for name in node.inputs)
    multiplier = a * b * (np.float32(1) / np.float32(node.output.scale))
    product = centred(network, node, inputs[0]) * centred(network, node, inputs[1], 1)
    with np.errstate(over="ignore"):
        steps = to_int32(product.astype(np.float32) * multiplier)
    return saturate(node, steps + node.output.zero_point)


def _concat(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    sources = [network.encodings[name] for name in node.inputs]
    reals = [dequantize(*pair) for pair in zip(inputs, sources, strict=True)]
    if inputs[0].ndim == 2:
        return quantize_fused(np.concatenate(reals, axis=-1), node.output)
    parts = []
    for codes, source, real in zip(inputs, sources, reals, strict=True):
        together = quantize_vectors(_fused_dequantize(codes, source), node.output)
        alone = quantize_alone(real, node.output)
        moved = np.where(_in_registers(codes.shape[-1]), together, alone)
        parts.append(codes if source == node.output else moved)
    return np.concatenate(parts, axis=-1)


def _clamp(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    low, high = code_bounds(node.output, real_bounds(node))
    return np.clip(inputs[0], low, high).astype(node.output.dtype)


def _activation(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    source, flat = network.encodings[node.inputs[0]], inputs[0].reshape(-1)
    whole = flat.size // _BLOCK * _BLOCK
    # Of these kernels that of sigmoid alone does not multiply the scale and zero point beforehand.
    vectors_of = dequantize if node.operator == "sigmoid" else _fused_dequantize
    vectors = VECTOR_FUNCTIONS[node.operator](vectors_of(flat[:whole], source))
    rest = FUNCTIONS[node.operator](dequantize(flat[whole:], source))
    parts = quantize_vectors(vectors, node.output), quantize_alone(rest, node.output)
    return np.concatenate(parts).reshape(inputs[0].shape)


def _table(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    source = network.encodings[node.inputs[0]]
    reals = dequantize(codes_of(source), source)
    table = quantize_alone(TABLE_FUNCTIONS[node.operator](reals), node.output)
    return look_up(table, inputs[0], source)


def _qnnpack_global_avg_pool(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    acc = centred(network, node, inputs[0]).sum(axis=(1, 2)).astype(np.float32)
    size, scale = inputs[0].shape[1] * inputs[0].shape[2], np.float32(node.output.scale)
    return _requantize(node, acc * (scale / (scale * np.float32(size))))


_SHARED: dict[str, Operator] = {
    "quantize": _quantize,
    "dequantize": moves.dequantize,
    "max_pool2d": moves.max_pool,
    "avg_pool2d": _avg_pool,
    "global_avg_pool": _global_avg_pool,
    "add": _add,
    "mul": _mul,
    "concat": _concat,
    "relu": _clamp,
    "relu6": _clamp,
    "clip": _clamp,
    "sigmoid": _activation,
    "tanh": _activation,
    "hard_swish": _activation,
    "flatten": moves.flatten,
}
_FBGEMM = _SHARED | dict.fromkeys(("dense", "conv2d", "depthwise_conv2d"), _fbgemm_affine)
_QNNPACK = dict(_SHARED)
_QNNPACK |= dict.fromkeys(("dense", "conv2d", "depthwise_conv2d"), _qnnpack_affine)
_QNNPACK |= dict.fromkeys(("sigmoid", "tanh", "hard_swish"), _table)
_QNNPACK |= {
    "add": _qnnpack_add,
    "avg_pool2d": _qnnpack_avg_pool,
    "global_avg_pool": _qnnpack_global_avg_pool,
}

_AFFINE = (
    "uint8 * int8 in pairs along (kh, kw, channel) that saturate to int16; "
    "rne((float32(acc) + bias / float32(s_x s_w)) * float32(float32(s_x s_w) / s_y)), saturated to "
    "int16, + zp; with one scale for all channels fma(bias, float32(1 / (s_x s_w)), acc); "
    "requantizeOutputProcessingAvx2 (FBGEMM src/QuantUtilsAvx2.cc)"
)
_VECTORS = (
    "whole blocks of 64 elements: fma(s, q, -(s zp)), rne(y * float32(1 / s_y)) + zp, which wraps "
    "around beyond 2^31; the rest one by one: s * (q - zp), rne(zp + y * float32(1 / s_y)) "
    "(cpu/kernels/QuantizedOpKernels.cpp)"
)
_LIBRARY = "that of glibc 2.28 to 2.40"
_NOTES = {
    "quantize": "rne(fma(x, float32(1 / s), zp)): the inverse, and the zero point inside the "
    "rounding (FBGEMM QuantizeAvx2)",
    "dequantize": "s * float32(q - zp)",
    "dense": _AFFINE,
    "conv2d": _AFFINE,
    "depthwise_conv2d": _AFFINE,
    "max_pool2d": "largest code",
    "avg_pool2d": "keeps the encoding; rne(acc * float32(1 / n)) + zp in registers of 8 channels, "
    "the last channels rne(zp + acc * (1 / (1 / (1 / n))))",
    "global_avg_pool": "keeps the encoding; rne(fma(acc, 1 / (1 / (1 / n)), zp)) in registers of 8 "
    "channels, the last channels without FMA",
    "add": f"a + b in float32; {_VECTORS}",
    "mul": "rne(float32(product) * float32(float32(s_a s_b) * float32(1 / s_y))) + zp",
    "concat": "images: codes are copied where encodings agree, or as in add, registers of 8 "
    "channels and the last ones alone; vectors: dequantized, then quantize_per_tensor",
    "relu": "keeps the encoding; codes are clamped",
    "relu6": "keeps the encoding; codes are clamped",
    "clip": "keeps the encoding; codes are clamped",
    "sigmoid": "1 / (1 + exp(-x)); whole blocks of 64 elements: x = s * (q - zp), SLEEF's expf, "
    "all in float32, rne(y * float32(1 / s_y)) + zp; the rest one by one: the C library's expf, "
    "sum and quotient in float64, rne(zp + float32(y) * float32(1 / s_y)); "
    f"{_LIBRARY} (cpu/kernels/QuantizedOpKernels.cpp)",
    "tanh": "scale 1/128, zero point 128; SLEEF's tanhf in blocks, the C library's for the rest, "
    f"{_LIBRARY}; {_VECTORS}",
    "hard_swish": f"x * clamp(x + 3, 0, 6) / 6; {_VECTORS}",
    "softmax": "dequantize, float32 softmax, quantize; the order of its float32 sum is not known "
    "here: of the correctly rounded softmax 1 of 313,230 outputs differs, by one code",
    "flatten": "codes stay",
}
_ONEDNN_EVIDENCE = (
    "oneDNN picks a kernel by shape, and its order of float32 steps differs among them. Nearest: "
    "rne(zp + (acc * float32(s_x s_w) + bias) * float32(1 / s_y)), "
)
_NOT_ONEDNN = {
    "dense": f"{_ONEDNN_EVIDENCE}on pairs that saturate: 13 of 315,438 outputs differ, by one code",
    "conv2d": f"{_ONEDNN_EVIDENCE}on exact sums: 10,158 of 369,564 outputs differ, by up to 255 "
    "codes: most of its kernels saturate, in an order that is not known here",
    "depthwise_conv2d": f"{_ONEDNN_EVIDENCE}on exact sums: 37 of 369,362 outputs differ, by one "
    "code",
}
_QNNPACK_AFFINE = (
    "exact sums; the bias rne(bias * float32(1 / (s_x s_w))) in integers; rne(float32(acc) * "
    "float32(float32(s_x s_w) * float32(1 / s_y))) saturated to int16, + zp"
)
_TABLE = (
    "a table of 256 codes: x = s * (q - zp), rne(y * float32(1 / s_y) + zp) with the zero point "
    "inside the rounding, each step in float32"
)
_QNNPACK_NOTES = dict.fromkeys(("dense", "conv2d", "depthwise_conv2d"), _QNNPACK_AFFINE) | {
    "avg_pool2d": "keeps the encoding; padding counts as zero, whatever count_include_pad says; "
    "rne(float32(acc) * float32(s / (s * kh kw))) + zp",
    "global_avg_pool": "keeps the encoding; rne(float32(acc) * float32(s / (s * n))) + zp",
    "add": "fixed point: multipliers rne(s_a/s_y 2^shift), the larger one of 22 bits; the sum is "
    "shifted, half away from zero; ratios outside [2^-14, 2^8) are refused (add.c)",
    "sigmoid": f"output scale 1/256; {_TABLE}; 1 / (1 + exp(-x)) in float32 with the C library's "
    f"expf, {_LIBRARY} (sigmoid.c)",
    "tanh": f"scale 1/128, zero point 128; {_TABLE}; the C library's tanhf, {_LIBRARY} (tanh.c)",
    "hard_swish": f"{_TABLE}; x * clamp(x + 3, 0, 6) / 6 (hardswish.c)",
}

DIALECTS = {
    dialect.name: dialect
    for dialect in (
        Dialect(
            name="pytorch-fbgemm",
            runtime="pytorch-fbgemm",
            storage="uint8",
            summary="PyTorch on x86 with AVX2 and without VNNI: pair sums saturate, the bias is a "
            "float",
            operators=_FBGEMM,
            notes=_NOTES,
            processor=AVX2,
        ),
        Dialect(
            name="pytorch-onednn",
            runtime="pytorch-onednn",
            storage="uint8",
            summary="PyTorch with oneDNN: elementwise as with FBGEMM, products not reproduced",
            operators=_SHARED,
            notes=_NOTES | _NOT_ONEDNN,
            processor=AVX2,
        ),
        Dialect(
            name="pytorch-qnnpack",
            runtime="pytorch-qnnpack",
            storage="uint8",
            summary="PyTorch with QNNPACK on x86: exact sums, float32, the inverse of s_y",
            operators=_QNNPACK,
            notes=_NOTES | _QNNPACK_NOTES,
            processor=AVX2,
        ),
    )
}
