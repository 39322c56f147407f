"""Sigmoid, tanh, hard-swish and softmax of TensorFlow Lite, from tables and in fixed point."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialect import Operator
from kdq_ref.verify.dialects import gemmlowp
from kdq_ref.verify.dialects.libm import expf
from kdq_ref.verify.dialects.quantization import centred, codes_of, dequantize, look_up
from kdq_ref.verify.dialects.tflite_arithmetic import (
    DOUBLE,
    finished,
    quantized_multiplier,
    round_half_away,
)
from kdq_ref.verify.network import Encoding, Network, Node

_FIXED_INTEGER_BITS = 4
_SOFTMAX_INTEGER_BITS, _SUM_INTEGER_BITS = 5, 12
_LARGEST_SUM = 512


def sigmoid(x: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-x))``, every step in float32."""
    return np.float32(1) / (np.float32(1) + expf(-x))


def function_table(
    function: Callable[[np.ndarray], np.ndarray], start: Encoding, end: Encoding
) -> np.ndarray:
    """Codes of a real function for every code (``LUTPopulateInt8``), all in float32.

    ``round(f(s_x * (q - z_x)) * (1 / s_y)) + z_y``, half away.
    """
    real = dequantize(codes_of(start), start)
    inverse = np.float32(1) / np.float32(end.scale)
    steps = round_half_away(function(real).astype(np.float32) * inverse)
    return np.clip(steps + np.float32(end.zero_point), *end.limits).astype(end.dtype)


def by_table(function: Callable[[np.ndarray], np.ndarray]) -> Operator:
    """LiteRT's LOGISTIC and TANH: a table made when the interpreter prepares the node."""

    def operator(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        start = network.encodings[node.inputs[0]]
        return look_up(function_table(function, start, node.output), inputs[0], start)

    return operator


def _check_zero_point(node: Node) -> None:
    if node.output.zero_point != node.output.limits[0]:
        raise UnsupportedError(
            f"node {node.name!r}: here int8 {node.operator} has zero point "
            f"{node.output.limits[0]}, not {node.output.zero_point}"
        )


def _in_fixed_point(
    function: Callable[[np.ndarray, int], np.ndarray], fraction: int, zero_point: int
) -> Operator:
    def operator(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        if zero_point:
            _check_zero_point(node)
        start = network.encodings[node.inputs[0]]
        real = start.scale * 2.0 ** (31 - _FIXED_INTEGER_BITS)
        radius = int(15.0 * 2.0 ** (31 - _FIXED_INTEGER_BITS) / 2.0 ** math.frexp(real)[1])
        # Beyond that the radius is 0, and nothing is inside.
        constants = quantized_multiplier(min(real, 2.0**30 - 1))
        x = centred(network, node, inputs[0])
        inside = np.clip(x, 1 - radius, radius - 1)
        raw = function(DOUBLE(inside, constants), _FIXED_INTEGER_BITS)
        steps = gemmlowp.divide_by_power(raw, 31 - fraction) + zero_point
        low, high = node.output.limits
        steps = np.where(x <= -radius, low, np.where(x >= radius, high, steps))
        return np.clip(steps, low, high).astype(node.output.dtype)

    return operator


fixed_point_sigmoid = _in_fixed_point(gemmlowp.logistic, 8, -128)
"""TensorFlow Lite Micro's LOGISTIC: the input in Q4, gemmlowp's ``logistic``, rounded to 8 bits.

Whatever the output's scale is said to be, it is taken for 1/256."""

fixed_point_tanh = _in_fixed_point(gemmlowp.tanh, 7, 0)
"""TensorFlow Lite Micro's TANH: the input in Q4, gemmlowp's ``tanh``, rounded to 7 bits.

Whatever the output's encoding is said to be, it is taken for a scale of 1/128, no zero point."""


def _sixteen_bits(real: float) -> tuple[int, int]:
    """Mantissa of 16 bits and exponent (``DownScaleInt32ToInt16Multiplier``)."""
    constants = quantized_multiplier(float(real))
    return (int(constants.multiplier[0]) + (1 << 15)) >> 16, int(constants.exponent[0])


def _high_16(a: np.ndarray, b: np.ndarray | int, nudge: int) -> np.ndarray:
    """Doubled high half of a 16-bit product, divided towards zero after the nudge."""
    product = a * b
    summed = product + np.where(product >= 0, nudge, 1 - nudge if nudge else 0)
    return np.where(summed >= 0, summed >> 15, -(-summed >> 15))


def _saturated(x: np.ndarray) -> np.ndarray:
    return np.clip(x, -(2**15), 2**15 - 1)


def _divide_16(x: np.ndarray, exponent: int) -> np.ndarray:
    """gemmlowp's ``RoundingDivideByPOT`` of int16, whose mask is int16 too.

    From an exponent of 16 on the mask is -1: nothing rounds to the nearest any more.
    """
    mask = np.array((1 << exponent) - 1).astype(np.int16).astype(np.int64)
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def hard_swish(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """``x * relu6(x + 3) / 6`` in 16-bit fixed point, both multipliers formed in float32.

    LiteRT's (``reference/hard_swish.h``).
    """
    fine = np.float32(network.encodings[node.inputs[0]].scale / 128)
    quotients = fine / np.float32(node.output.scale), fine / np.float32(3 / 32768)
    return _hard_swish(network, node, inputs[0], *quotients)


def hard_swish_in_float64(
    network: Network, node: Node, inputs: tuple[np.ndarray, ...]
) -> np.ndarray:
    """The same with multipliers formed in float64: TensorFlow Lite Micro's."""
    fine = network.encodings[node.inputs[0]].scale / 128
    return _hard_swish(network, node, inputs[0], fine / node.output.scale, fine / (3 / 32768))


def _hard_swish(
    network: Network, node: Node, codes: np.ndarray, out: float, relu: float
) -> np.ndarray:
    out_mantissa, out_exponent = _sixteen_bits(out)
    relu_mantissa, relu_exponent = _sixteen_bits(relu)
    if out_exponent > 0:
        raise UnsupportedError(
            f"node {node.name!r}: TensorFlow Lite refuses a hard-swish whose output scale is "
            f"below 1/128 of the input's"
        )
    x = centred(network, node, codes) << 7
    preshift = _high_16(x, out_mantissa, 1 << 14)
    gate = x
    if relu_exponent > 0:
        gate = _saturated(gate << (relu_exponent - 1))
    gate = _high_16(gate, relu_mantissa, 1 << 14)
    if relu_exponent > 0:
        gate = _saturated(gate << 1)
    elif relu_exponent < 0:
        gate = _divide_16(gate, -relu_exponent)
    gate = (gate + (1 << 15)) >> 1
    product = _high_16(gate, preshift, 0)
    return finished(_divide_16(product, -out_exponent), node.output)


def fixed_point_softmax(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """The reference kernel: exponentials in Q0, their sum in Q12, a reciprocal by Newton's method.

    ``reference/softmax.h``; what lies further below the largest code than ``exp`` can express in
    Q5 counts as nothing.

    Raises
    ------
    UnsupportedError
        Where the runtimes end the process (``TFLITE_CHECK``): a sum of exponentials of 512 or more,
        which 512 equal codes have, or a scale of ``2**-26`` or less.
    """
    _check_zero_point(node)
    start = network.encodings[node.inputs[0]]
    if start.scale <= 2.0 ** (_SOFTMAX_INTEGER_BITS - 31):
        raise UnsupportedError(
            f"node {node.name!r}: the reference kernel of softmax aborts the process where the "
            f"scale is 2**-26 or less, as {start.scale} is"
        )
    beta = min(start.scale * 2.0 ** (31 - _SOFTMAX_INTEGER_BITS), 2.0**31 - 1)
    shift = math.frexp(beta)[1]
    radius = int(31.0 * 2.0 ** (31 - _SOFTMAX_INTEGER_BITS) / 2.0**shift)
    # Beyond 2**30 the radius is 0: only the largest code counts, and no multiplier matters for it.
    mantissa = int(quantized_multiplier(min(beta, 2.0**30 - 1)).multiplier[0])
    x = inputs[0].astype(np.int64)
    difference = x - x.max(axis=-1, keepdims=True)
    counts = difference >= -radius
    exact = gemmlowp.multiply(np.maximum(difference, -radius) << shift, mantissa)
    powers = gemmlowp.exp_on_negative_values(exact, _SOFTMAX_INTEGER_BITS)
    terms = gemmlowp.divide_by_power(powers, _SUM_INTEGER_BITS)
    total = np.where(counts, terms, 0).sum(axis=-1, keepdims=True)
    if (total >= _LARGEST_SUM << (31 - _SUM_INTEGER_BITS)).any():
        raise UnsupportedError(
            f"node {node.name!r}: the reference kernel of softmax aborts the process where the sum "
            f"of exponentials reaches {_LARGEST_SUM}: too many of {x.shape[-1]} codes are near "
            f"the largest"
        )
    # GetReciprocal: the sum as (1 + a) * 2**over_unit.
    headroom = 32 - np.frexp(total.astype(np.float64))[1]
    over_unit = _SUM_INTEGER_BITS - headroom
    scale = gemmlowp.reciprocal_of_one_plus((total << headroom) - (1 << 31))
    steps = gemmlowp.divide_by_power(gemmlowp.multiply(scale, powers), over_unit + 31 - 8)
    low, high = node.output.limits
    return np.where(counts, np.clip(steps + low, low, high), low).astype(node.output.dtype)


def float_softmax(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """LiteRT's optimized kernel: a table of ``expf``, sums and products in float32.

    ``optimized_ops::Softmax`` on machines other than AArch64. The sum runs over the classes in
    their order.
    """
    start, end = network.encodings[node.inputs[0]], node.output
    table = expf(-np.float32(start.scale) * np.arange(256).astype(np.float32))
    x = inputs[0].astype(np.int64)
    powers = table[x.max(axis=-1, keepdims=True) - x]
    total = np.zeros(x.shape[:-1], np.float32)
    for index in range(x.shape[-1]):
        total = total + powers[..., index]
    inverse = np.float32(1) / (total * np.float32(end.scale))
    steps = round_half_away(powers * inverse[..., None])
    return np.clip(steps.astype(np.int64) + end.zero_point, *end.limits).astype(end.dtype)
