"""``QLinearSoftmax`` of ONNX Runtime: exponentials from a table, summed in float32."""

from __future__ import annotations

import math

import numpy as np

from kdq_ref.verify.float_steps import to_int32
from kdq_ref.verify.network import Encoding

_RESERVED_BITS = 5


def exponential_table(scale: float, classes: int) -> np.ndarray:
    """``exp(-d * scale) * C`` for every distance d below the largest code : (256,) float32.

    The factor C is as large as the sum of all classes allows in float32.
    """
    largest = np.finfo(np.float32).max / np.float32(classes)
    # The logarithm is rounded to float32; everything after it is in float64.
    logarithm = float(np.float32(math.log(float(largest))))
    shift = max(0.0, logarithm - _RESERVED_BITS) / scale
    entries = [math.exp((shift - d) * scale) for d in range(256)]
    return np.array(entries, np.float64).astype(np.float32)


def softmax(codes: np.ndarray, source: Encoding, output: Encoding) -> np.ndarray:
    """Probabilities along the last axis.

    Parameters
    ----------
    codes : (..., C) ndarray
    source, output : Encoding

    Returns
    -------
    (..., C) ndarray of the output's dtype
    """
    table = exponential_table(source.scale, codes.shape[-1])
    distance = codes.max(axis=-1, keepdims=True).astype(np.intp) - codes.astype(np.intp)
    terms = table[distance]
    total = np.zeros(codes.shape[:-1], np.float32)
    for c in range(codes.shape[-1]):  # in this order: float32 addition is not associative
        total = total + terms[..., c]
    inverse = np.floor(np.float32(1) / np.float32(output.scale))
    with np.errstate(over="ignore"):
        scaled = np.rint(terms * inverse / total[..., None])
    if output.dtype == "uint8":
        # Infinity, which a single class overflows to, becomes 0 as an unsigned number.
        steps = np.where(np.isfinite(scaled), scaled, 0).astype(np.int64) + output.zero_point
    else:
        # As a signed one it is the smallest, and wraps around when the zero point is added.
        steps = (to_int32(scaled) + output.zero_point + 2**31) % 2**32 - 2**31
    return np.clip(steps, *output.limits).astype(output.dtype)
