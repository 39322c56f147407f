"""Dense layers and convolutions as TensorFlow Lite's integer kernels compute them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.rounding import Constants, reduced_16x8
from kdq_ref.verify.accumulators import accumulate, biased, weight_of
from kdq_ref.verify.dialect import Operator
from kdq_ref.verify.dialects.tflite_arithmetic import (
    Scaling,
    affine_multipliers,
    converted,
    finished,
    int32,
    quantized_multiplier,
    round_half_away,
)
from kdq_ref.verify.network import Encoding, Network, Node

_MAX_EXPONENT_16X8 = 14

Multipliers = Callable[[Encoding, np.ndarray, Encoding], Constants]
"""``multipliers(input, weight scales, output)``: the constants that a kernel prepares."""


def fixed_point(scaling: Scaling, multipliers: Multipliers = affine_multipliers) -> Operator:
    """A kernel whose multiplier is a mantissa and an exponent.

    ``clamp(scaling(int32(sum (x - z_x) * w + bias)) + z_y)``. Activations of int16 have biases and
    accumulators of int64, and the one rule ``reduced_16x8``.
    """

    def operator(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        acc = biased(node, accumulate(network, node, inputs[0]))
        start = network.encodings[node.inputs[0]]
        constants = multipliers(start, weight_of(node).scales, node.output)
        if start.dtype == "int16":
            scaled = _reduced(node, acc, constants)
        else:
            scaled = scaling(int32(acc), constants)
        return finished(scaled, node.output, node.clamp)

    return operator


def _reduced(node: Node, acc: np.ndarray, constants: Constants) -> np.ndarray:
    if (constants.exponent > _MAX_EXPONENT_16X8).any():
        raise UnsupportedError(
            f"node {node.name!r}: a multiplier of 2**{_MAX_EXPONENT_16X8} or more shifts an int64 "
            f"accumulator by a negative amount, which TensorFlow Lite does not define"
        )
    return reduced_16x8.apply(acc, constants)


def float32_product_multiplier(
    start: Encoding, weight_scales: np.ndarray, end: Encoding
) -> Constants:
    """Constants of a dense layer: per tensor ``s_x * s_w`` is rounded to float32 first.

    ``GetQuantizedConvolutionMultipler``, where FULLY_CONNECTED has one weight scale; where it has
    one for every channel the product is in float64 (:func:`affine_multipliers`).
    """
    if len(weight_scales) > 1:
        return affine_multipliers(start, weight_scales, end)
    product = np.float32(start.scale) * np.asarray(weight_scales, np.float32)
    return quantized_multiplier(product.astype(np.float64) / end.scale)


def dense_in_float64(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """LiteRT's reference FULLY_CONNECTED: ``round(double(acc) * (s_x * s_w / s_y))``.

    Half away from zero; a result beyond int32 becomes INT32_MIN, which is what x86 converts it to.
    """
    start = network.encodings[node.inputs[0]]
    acc = biased(node, accumulate(network, node, inputs[0]))
    if start.dtype != "int16":
        acc = int32(acc)
    scales = np.asarray(weight_of(node).scales, np.float32).astype(np.float64)
    scaled = round_half_away(acc * (start.scale * scales / node.output.scale))
    return finished(converted(scaled), node.output, node.clamp)


def split_by_channels(first: Scaling, rest: Scaling, lanes: int) -> Scaling:
    """Scaling of a vector loop over whole blocks of ``lanes`` channels, and of the loop behind."""

    def scale(acc: np.ndarray, constants: Constants) -> np.ndarray:
        channels = acc.shape[-1]
        whole = channels // lanes * lanes
        vector = np.arange(channels) < whole
        return np.where(vector, first(acc, constants), rest(acc, constants))

    return scale


def with_int16_refused(operators: Mapping[str, Operator]) -> dict[str, Operator]:
    """Operators that say so where int16 reaches one that was never compared with it.

    Dense layers and convolutions take int16 activations; the others are described for int8.
    """
    return {
        name: operator if name in _AFFINE else _refusing_int16(operator)
        for name, operator in operators.items()
    }


_AFFINE = ("dense", "conv2d", "depthwise_conv2d")


def _refusing_int16(inner: Operator) -> Operator:
    def operator(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        encodings = [node.output, *(network.encodings[name] for name in node.inputs)]
        if any(encoding.dtype == "int16" for encoding in encodings):
            raise UnsupportedError(
                f"node {node.name!r}: {node.operator} of int16 is not described, only "
                f"{', '.join(_AFFINE)} are"
            )
        return inner(network, node, inputs)

    return operator
