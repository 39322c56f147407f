"""Steps that dialects of one float32 quantization formula share."""

from __future__ import annotations

import numpy as np

from kdq_ref.verify.network import Encoding, Network, Node, code_bounds


def quantize(x: np.ndarray, encoding: Encoding) -> np.ndarray:
    """``clamp(rne(x / scale), qmin - zp, qmax - zp) + zp`` in float32.

    Parameters
    ----------
    x : float32 ndarray
    encoding : Encoding

    Returns
    -------
    ndarray of the encoding's dtype
    """
    low, high = encoding.limits
    with np.errstate(over="ignore"):
        scaled = np.rint(np.asarray(x, np.float32) / np.float32(encoding.scale))
    bounded = np.clip(scaled, low - encoding.zero_point, high - encoding.zero_point)
    return (bounded.astype(np.int64) + encoding.zero_point).astype(encoding.dtype)


def dequantize(codes: np.ndarray, encoding: Encoding) -> np.ndarray:
    """``scale * (code - zp)`` in float32."""
    centred = codes.astype(np.int32) - encoding.zero_point
    return centred.astype(np.float32) * np.float32(encoding.scale)


def saturate(node: Node, values: np.ndarray) -> np.ndarray:
    """Clamp integers to the node's storage and to its fused activation.

    Parameters
    ----------
    node : Node
    values : int64 ndarray
        Zero point included.

    Returns
    -------
    ndarray of the output's dtype
    """
    low, high = node.output.limits
    if node.clamp is not None:
        low, high = code_bounds(node.output, node.clamp)
    return np.clip(values, low, high).astype(node.output.dtype)


def codes_of(encoding: Encoding) -> np.ndarray:
    """Every code of an encoding, from the smallest: what a table of 256 entries is made for."""
    low, high = encoding.limits
    return np.arange(low, high + 1).astype(encoding.dtype)


def look_up(table: np.ndarray, codes: np.ndarray, encoding: Encoding) -> np.ndarray:
    """``table[code - qmin]``."""
    return table[codes.astype(np.intp) - encoding.limits[0]]


def centred(network: Network, node: Node, codes: np.ndarray, number: int = 0) -> np.ndarray:
    """``code - zp`` of the node's input of that number, in int64."""
    return codes.astype(np.int64) - network.encodings[node.inputs[number]].zero_point
