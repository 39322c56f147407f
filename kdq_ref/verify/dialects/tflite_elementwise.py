"""Sums, products, changes of encoding and clamps, element by element, as TensorFlow Lite does.

The optimized kernels of LiteRT run over whole blocks of the flattened batch in vector registers and
finish in a plain loop; where the two round differently, an element's position decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.rounding import Constants
from kdq_ref.verify.dialect import Operator
from kdq_ref.verify.dialects.quantization import centred
from kdq_ref.verify.dialects.tflite_arithmetic import (
    DOUBLE,
    TIES_UP,
    activation_limits,
    check_sum_scales,
    converted,
    finished,
    quantized_multiplier,
    round_half_away,
)
from kdq_ref.verify.network import Encoding, Network, Node, real_bounds

_LEFT_SHIFT = 20


def in_blocks(first: np.ndarray, rest: np.ndarray, lanes: int) -> np.ndarray:
    """Take whole blocks of ``lanes`` elements of the flat array from ``first``, the end elsewhere.

    Parameters
    ----------
    first, rest : (...) ndarray
        Of one shape.
    lanes : int
    """
    whole = first.size // lanes * lanes
    return np.where(np.arange(first.size).reshape(first.shape) < whole, first, rest)


def _centred(encoding: Encoding, codes: np.ndarray) -> np.ndarray:
    return codes.astype(np.int64) - encoding.zero_point


def _int16(value: np.ndarray) -> np.ndarray:
    return value.astype(np.int16).astype(np.int64)


def _add_constants(network: Network, node: Node) -> tuple[Constants, Constants, Constants]:
    a, b = (np.float32(network.encodings[name].scale) for name in node.inputs)
    # Both in float32, and exact: doubling and a power of two.
    twice = np.float32(2) * max(a, b)
    end = np.float32(1 << _LEFT_SHIFT) * np.float32(node.output.scale)
    check_sum_scales(node.name, float(max(a, b)), node.output.scale)
    return (
        quantized_multiplier(float(a) / float(twice)),
        quantized_multiplier(float(b) / float(twice)),
        quantized_multiplier(float(twice) / float(end)),
    )


def _added(
    network: Network, node: Node, inputs: tuple[np.ndarray, ...], constants: tuple[Constants, ...]
) -> np.ndarray:
    total = np.int64(0)
    for name, codes, constant in zip(node.inputs, inputs, constants, strict=False):
        raised = _centred(network.encodings[name], codes) << _LEFT_SHIFT
        total = total + DOUBLE(raised, constant)
    return DOUBLE(total, constants[2])


def add(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """Both inputs times ``2**20``, each scaled to twice the larger scale, the sum scaled again.

    Three double roundings (``AddFunc``, ``reference/integer_ops/add.h``).
    """
    scaled = _added(network, node, inputs, _add_constants(network, node))
    return finished(scaled, node.output, node.clamp)


def add_with_vectors(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """LiteRT's optimized addition (``AddElementwiseInt8``), 16 elements at a time.

    The vectors shift an input by ``20 + exponent`` before they multiply, and so round it once where
    the loop rounds twice; and they narrow the result to int16 without saturating, so that a sum of
    more than 32,767 output steps wraps.
    """
    constants = _add_constants(network, node)
    total = np.int64(0)
    for name, codes, constant in zip(node.inputs, inputs, constants, strict=False):
        shift = _LEFT_SHIFT + int(constant.exponent[0])
        centred = _centred(network.encodings[name], codes)
        raised = centred << shift if shift >= 0 else centred >> -shift
        flat = replace(constant, exponent=np.zeros_like(constant.exponent))
        total = total + DOUBLE(raised, flat)
    narrowed = _int16(_int16(DOUBLE(total, constants[2])) + node.output.zero_point)
    vector = np.clip(narrowed, *activation_limits(node.output, node.clamp))
    scaled = _added(network, node, inputs, constants)
    return in_blocks(
        vector.astype(node.output.dtype), finished(scaled, node.output, node.clamp), 16
    )


def _multiplied(
    network: Network, node: Node, inputs: tuple[np.ndarray, ...], real: float
) -> np.ndarray:
    a, b = (network.encodings[name] for name in node.inputs)
    product = _centred(a, inputs[0]) * _centred(b, inputs[1])
    return DOUBLE(product, quantized_multiplier(real))


def _product_scale(network: Network, node: Node) -> float:
    """``s_a * s_b / s_y`` in float32, as LiteRT's MUL prepares it."""
    a, b = (np.float32(network.encodings[name].scale) for name in node.inputs)
    return float(a * b / np.float32(node.output.scale))


def mul(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """``(a - z_a) * (b - z_b)``, one double rounding (``reference/integer_ops/mul.h``).

    LiteRT forms the multiplier in float32.
    """
    scaled = _multiplied(network, node, inputs, _product_scale(network, node))
    return finished(scaled, node.output, node.clamp)


def mul_in_float64(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """The same with the multiplier in float64: TensorFlow Lite Micro."""
    a, b = (network.encodings[name].scale for name in node.inputs)
    scaled = _multiplied(network, node, inputs, a * b / node.output.scale)
    return finished(scaled, node.output, node.clamp)


def mul_with_vectors(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """LiteRT's optimized product (``MulElementwiseInt8``), 16 elements at a time.

    The vectors saturate to int16 and then add the zero point without saturating.
    """
    scaled = _multiplied(network, node, inputs, _product_scale(network, node))
    narrowed = _int16(np.clip(scaled, -(2**15), 2**15 - 1) + node.output.zero_point)
    vector = np.clip(narrowed, *activation_limits(node.output, node.clamp))
    return in_blocks(
        vector.astype(node.output.dtype), finished(scaled, node.output, node.clamp), 16
    )


Change = Callable[[np.ndarray, Encoding, Encoding], np.ndarray]
"""``change(codes, start, end)``: codes of one encoding as codes of another."""


def requantized(codes: np.ndarray, start: Encoding, end: Encoding) -> np.ndarray:
    """QUANTIZE of codes: one double rounding of ``(q - z_x) * (s_x / s_y)``, in float64.

    ``reference_ops::Requantize``.
    """
    constants = quantized_multiplier(start.scale / end.scale)
    return finished(DOUBLE(_centred(start, codes), constants), end)


def requantized_with_vectors(codes: np.ndarray, start: Encoding, end: Encoding) -> np.ndarray:
    """LiteRT's optimized ``Requantize``, 16 elements at a time: vectors round ties up."""
    constants = quantized_multiplier(start.scale / end.scale)
    vector = finished(TIES_UP(_centred(start, codes), constants), end)
    return in_blocks(vector, requantized(codes, start, end), 16)


def quantized(values: np.ndarray, end: Encoding) -> np.ndarray:
    """Float32 values as codes: ``round(x / s) + z``, half away, in float32 (``AffineQuantize``).

    A quotient beyond int32 becomes INT32_MIN, which is what x86 converts it to.
    """
    return finished(converted(round_half_away(values / np.float32(end.scale))), end)


def quantized_with_vectors(values: np.ndarray, end: Encoding) -> np.ndarray:
    """LiteRT's optimized ``AffineQuantize``, 8 elements at a time.

    The vectors multiply by the reciprocal, rounded to float32, and round half to even; the loop
    divides in float64 and rounds half away from zero.
    """
    reciprocal = np.float32(1.0 / end.scale)
    vector = finished(converted(np.rint(values * reciprocal)), end)
    loop = finished(converted(round_half_away(values / np.float64(end.scale))), end)
    return in_blocks(vector, loop, 8)


def dequantized(codes: np.ndarray, start: Encoding) -> np.ndarray:
    """``s * (q - z)`` in float64, rounded to float32 once (``reference_ops::Dequantize``)."""
    return (start.scale * _centred(start, codes)).astype(np.float32)


def dequantized_with_vectors(codes: np.ndarray, start: Encoding) -> np.ndarray:
    """LiteRT's optimized ``Dequantize``, 8 at a time: ``s * q + (-z * s)`` in float32."""
    scale = np.float32(start.scale)
    vector = codes.astype(np.float32) * scale + np.float32(-start.zero_point * start.scale)
    return in_blocks(vector, dequantized(codes, start), 8)


def relu(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """RELU, RELU6 and their kind as operators: scale by ``s_x / s_y``, then clamp (``ReluX``).

    LiteRT forms the quotient in float32.
    """
    start = network.encodings[node.inputs[0]]
    ratio = np.float32(start.scale) / np.float32(node.output.scale)
    return _rectified(network, node, inputs[0], float(ratio))


def relu_in_float64(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """The same with the quotient in float64: TensorFlow Lite Micro's RELU."""
    ratio = network.encodings[node.inputs[0]].scale / node.output.scale
    return _rectified(network, node, inputs[0], ratio)


def _rectified(network: Network, node: Node, codes: np.ndarray, ratio: float) -> np.ndarray:
    scaled = DOUBLE(centred(network, node, codes), quantized_multiplier(ratio))
    return finished(scaled, node.output, real_bounds(node))


def relu_of_codes(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """TensorFlow Lite Micro's RELU6: codes clamped by the input's encoding, never rescaled."""
    start = network.encodings[node.inputs[0]]
    return np.clip(inputs[0], *activation_limits(start, real_bounds(node)))


def clip_of_codes(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """Clips of TensorFlow Lite Micro: RELU and RELU6, the only ones that it has."""
    if real_bounds(node) == (0.0, np.inf):
        return relu_in_float64(network, node, inputs)
    if real_bounds(node) == (0.0, 6.0):
        return relu_of_codes(network, node, inputs)
    raise UnsupportedError(
        f"node {node.name!r} clips to {node.clamp}; TensorFlow Lite Micro has RELU and RELU6 only"
    )


def quantize(of_reals: Callable[[np.ndarray, Encoding], np.ndarray], of_codes: Change) -> Operator:
    """QUANTIZE, which takes reals or codes."""

    def operator(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        start = network.encodings[node.inputs[0]]
        if start.dtype == "float32":
            return of_reals(inputs[0], node.output)
        return of_codes(inputs[0], start, node.output)

    return operator


def dequantize(of_codes: Callable[[np.ndarray, Encoding], np.ndarray]) -> Operator:
    """DEQUANTIZE."""

    def operator(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        return of_codes(inputs[0], network.encodings[node.inputs[0]])

    return operator
