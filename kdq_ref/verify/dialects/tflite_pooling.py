"""Pooling, and the operators that only move codes, as TensorFlow Lite's integer kernels do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kdq_ref.verify.dialect import Operator
from kdq_ref.verify.dialects.quantization import centred
from kdq_ref.verify.dialects.tflite_arithmetic import (
    DOUBLE,
    activation_limits,
    finished,
    int32,
    quantized_multiplier,
)
from kdq_ref.verify.dialects.tflite_elementwise import Change
from kdq_ref.verify.dialects.windows import max_pool, window_counts, window_terms
from kdq_ref.verify.network import Encoding, Network, Node

Limits = Callable[[Encoding, tuple[float, float] | None], tuple[int, int]]
"""``limits(encoding, clamp)``: the codes that a fused clamp ends at."""


def max_pool2d(limits: Limits) -> Operator:
    """The largest code of each window, clamped; padded positions never win."""

    def operator(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        start = network.encodings[node.inputs[0]]
        largest = max_pool(network, node, inputs[0])
        return np.clip(largest, *limits(start, node.clamp)).astype(start.dtype)

    return operator


def avg_pool2d(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """Sum of the codes over their number, half away from zero; padded positions do not count.

    The codes are divided, zero point and all: ``(sum +- count / 2) / count`` in integers that
    divide towards zero (``AveragePool``, ``reference/integer_ops/pooling.h``).
    """
    start = network.encodings[node.inputs[0]]
    total = sum(window_terms(node, inputs[0].astype(np.int64)), np.int64(0))
    count = window_counts(node, inputs[0])
    size = (np.abs(total) + count // 2) // count
    codes = np.where(total > 0, size, -size)
    return np.clip(codes, *activation_limits(start, node.clamp)).astype(start.dtype)


def global_avg_pool(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """MEAN over height and width: one over the number of positions joins the multiplier.

    The mantissa of ``s_x / s_y`` is shifted left by the bits of the number, divided by it and cut
    (``QuantizedMeanOrSum``, ``reference/reduce.h``), then one double rounding.
    """
    start = network.encodings[node.inputs[0]]
    x = inputs[0]
    count = x.shape[1] * x.shape[2]
    acc = int32(centred(network, node, x).sum(axis=(1, 2)))
    constants = quantized_multiplier(start.scale / node.output.scale)
    exponent = int(constants.exponent[0])
    bits = min(count.bit_length() - 1, 32, 31 + exponent)
    mantissa = (int(constants.multiplier[0]) << bits) // count
    shared = replace(
        constants,
        multiplier=np.array([mantissa], np.int32),
        exponent=np.array([exponent - bits], np.int32),
    )
    return finished(DOUBLE(acc, shared), node.output)


def _side_by_side(change: Change) -> Operator:
    def concat(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        parts = [
            _changed(change, codes, network.encodings[name], node.output)
            for name, codes in zip(node.inputs, inputs, strict=True)
        ]
        return np.concatenate(parts, axis=-1)

    return concat


def _flattened(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    return inputs[0].reshape(len(inputs[0]), -1)


def _changed(change: Change, codes: np.ndarray, start: Encoding, end: Encoding) -> np.ndarray:
    return codes if start == end else change(codes, start, end)


def _then(kept: Operator, change: Change) -> Operator:
    def operator(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        codes = kept(network, node, inputs)
        return _changed(change, codes, network.encodings[node.inputs[0]], node.output)

    return operator


def keeping(change: Change, limits: Limits = activation_limits) -> dict[str, Operator]:
    """Operators that keep their input's encoding, with a QUANTIZE where the node's is another.

    Parameters
    ----------
    change : callable
        The runtime's QUANTIZE of codes; behind pooling and flattening, before a concatenation.
    limits : callable
        Of a clamp that is fused with maximum pooling.

    Returns
    -------
    dict of str to callable
        ``max_pool2d``, ``avg_pool2d``, ``flatten`` and ``concat``.
    """
    return {
        "max_pool2d": _then(max_pool2d(limits), change),
        "avg_pool2d": _then(avg_pool2d, change),
        "flatten": _then(_flattened, change),
        "concat": _side_by_side(change),
    }
