"""XNNPACK's int8 operators on x86-64, as LiteRT's delegate sets them up.

Sources are XNNPACK's. Scales are float32, and so is every quotient of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.rounding import float32_rne
from kdq_ref.verify.accumulators import accumulate, biased, weight_of
from kdq_ref.verify.dialect import Operator
from kdq_ref.verify.dialects.quantization import centred, codes_of, dequantize, look_up
from kdq_ref.verify.dialects.tflite_arithmetic import int32
from kdq_ref.verify.network import Encoding, Network, Node


def limits(encoding: Encoding, clamp: tuple[float, float] | None) -> tuple[int, int]:
    """Codes that a fused clamp ends at: ``rne(bound / scale + zero_point)`` in float32."""
    low, high = encoding.limits
    if clamp is None:
        return low, high
    with np.errstate(over="ignore"):
        codes = np.asarray(clamp, np.float32) / np.float32(encoding.scale) + np.float32(
            encoding.zero_point
        )
    first, last = np.rint(np.clip(codes, np.float32(low), np.float32(high)))
    return int(first), int(last)


def _stored(steps: np.ndarray, end: Encoding, clamp: tuple[float, float] | None) -> np.ndarray:
    return np.clip(steps + end.zero_point, *limits(end, clamp)).astype(end.dtype)


def takes_affine(network: Network, node: Node) -> bool:
    """Whether LiteRT gives a dense layer or a convolution to XNNPACK: those of int8."""
    return network.encodings[node.inputs[0]].dtype == "int8"


def affine(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """Dense layers and convolutions: ``float32_rne`` (``qs8-qc8w-gemm-minmax-fp32-avx2``)."""
    acc = int32(biased(node, accumulate(network, node, inputs[0])))
    start = network.encodings[node.inputs[0]]
    constants = float32_rne.constants(start.scale, weight_of(node).scales, node.output.scale)
    if (constants.scale >= 256).any():
        raise UnsupportedError(
            f"node {node.name!r}: XNNPACK takes multipliers below 256, not "
            f"{constants.scale.max()}, and LiteRT then refuses the whole model"
        )
    return _stored(float32_rne.apply(acc, constants), node.output, node.clamp)


def _ratio(start: Encoding, end: Encoding) -> np.float32:
    return np.float32(start.scale) / np.float32(end.scale)


def takes_add(network: Network, node: Node) -> bool:
    """Whether LiteRT gives the addition to XNNPACK: quotients in ``[2**-10, 2**8)``."""
    ratios = [_ratio(network.encodings[name], node.output) for name in node.inputs]
    return all(2.0**-10 <= ratio < 2.0**8 for ratio in ratios)


def add(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """``(a * m_a + b * m_b + 2**(n - 1)) >> n`` with multipliers of 20 to 21 bits.

    ``n = 20 - exponent of the larger quotient`` (``xnn_init_qs8_add_minmax_scalar_params``).
    """
    ratios = [_ratio(network.encodings[name], node.output) for name in node.inputs]
    shift = 21 - math.frexp(float(max(ratios)))[1]
    acc = np.int64(1) << (shift - 1)
    for number, (ratio, codes) in enumerate(zip(ratios, inputs, strict=True)):
        multiplier = int(np.rint(float(ratio) * 2.0**shift))
        acc = acc + centred(network, node, codes, number) * multiplier
    return _stored(np.clip(acc >> shift, -(2**15), 2**15 - 1), node.output, node.clamp)


def _product_ratio(network: Network, node: Node) -> np.float32:
    a, b = (np.float32(network.encodings[name].scale) for name in node.inputs)
    return a * b / np.float32(node.output.scale)


def takes_mul(network: Network, node: Node) -> bool:
    """Whether LiteRT gives the product to XNNPACK: ``s_a * s_b / s_y`` in ``[2**-16, 2**8)``."""
    return bool(2.0**-16 <= _product_ratio(network, node) < 2.0**8)


def mul(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """``rne((a - z_a) * (b - z_b) * (s_a * s_b / s_y))`` in float32."""
    product = centred(network, node, inputs[0]) * centred(network, node, inputs[1], 1)
    scaled = product.astype(np.float32) * _product_ratio(network, node)
    return _stored(np.rint(scaled).astype(np.int64), node.output, node.clamp)


def square(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """``rne(x * x * (1 / s_y) + z_y)`` of the real x, in float32: by table, then the clamp."""
    codes = by_table(np.square)(network, node, inputs)
    return np.clip(codes, *limits(node.output, node.clamp)).astype(node.output.dtype)


def takes_change(start: Encoding, end: Encoding) -> bool:
    """Whether LiteRT gives a QUANTIZE of codes to XNNPACK: a quotient in ``[2**-8, 2**7]``."""
    return bool(2.0**-8 <= _ratio(start, end) <= 2.0**7)


def requantized(codes: np.ndarray, start: Encoding, end: Encoding) -> np.ndarray:
    """``((q - z_x) * m + 128) >> 8`` with ``m = rne(256 * s_x / s_y)``: a multiplier of 16 bits."""
    multiplier = int(np.rint(np.float32(256) * _ratio(start, end)))
    steps = ((codes.astype(np.int64) - start.zero_point) * multiplier + 128) >> 8
    return _stored(steps, end, None)


def quantized(values: np.ndarray, end: Encoding) -> np.ndarray:
    """``rne(x * (1 / s))``, in float32."""
    low, high = (np.float32(limit - end.zero_point) for limit in end.limits)
    steps = np.clip(values * (np.float32(1) / np.float32(end.scale)), low, high)
    return _stored(np.rint(steps).astype(np.int64), end, None)


def global_avg_pool(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """MEAN: ``rne(sum(q) * m + (z_y - z_x * n * m))`` with ``m = s_x / s_y * (1 / n)``, in float32.

    The zero point is added before the rounding: a tie goes to the even code.
    """
    start, end, x = network.encodings[node.inputs[0]], node.output, inputs[0]
    count = np.float32(x.shape[1] * x.shape[2])
    scale = _ratio(start, end) * (np.float32(1) / count)
    shift = np.float32(end.zero_point) - np.float32(start.zero_point) * count * scale
    codes = x.astype(np.int64).sum(axis=(1, 2)).astype(np.float32) * scale + shift
    return np.clip(np.rint(codes), *end.limits).astype(end.dtype)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """``e / (1 + e)`` with ``e = exp(x)``, in float64 (``src/reference/unary-elementwise.cc``)."""
    e = np.exp(np.clip(x.astype(np.float64), -100.0, 100.0))
    return e / (1.0 + e)


def by_table(function: Callable[[np.ndarray], np.ndarray]) -> Operator:
    """A real function of codes: ``rne(f((q - z_x) * s_x) * (1 / s_y) + z_y)``, all in float32."""

    def operator(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        start, end = network.encodings[node.inputs[0]], node.output
        reals = function(dequantize(codes_of(start), start)).astype(np.float32)
        codes = reals * (np.float32(1) / np.float32(end.scale)) + np.float32(end.zero_point)
        table = np.clip(np.rint(codes), *end.limits).astype(end.dtype)
        return look_up(table, inputs[0], start)

    return operator
