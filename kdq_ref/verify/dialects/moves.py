"""Operators that are the same in every dialect of float32: dequantize, maximum, flatten."""

from __future__ import annotations

import numpy as np

from kdq_ref.verify.dialects import quantization, windows
from kdq_ref.verify.network import Network, Node


def dequantize(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """``scale * (code - zp)`` in float32."""
    return quantization.dequantize(inputs[0], network.encodings[node.inputs[0]])


def max_pool(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """Largest code of each window, clamped."""
    largest = windows.max_pool(network, node, inputs[0])
    return quantization.saturate(node, largest.astype(np.int64))


def flatten(network: Network, node: Node, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """(B, ...) to (B, prod), the channels fastest."""
    return inputs[0].reshape(len(inputs[0]), -1)
