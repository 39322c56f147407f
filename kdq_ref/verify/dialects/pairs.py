"""Sums of products as ``vpmaddubsw`` makes them: in pairs that saturate."""

from __future__ import annotations

import numpy as np


def saturating_product(columns: np.ndarray, weights: np.ndarray, zero_point: int) -> np.ndarray:
    """Sums of ``vpmaddubsw`` and ``vpmaddwd``; see :data:`~kdq_ref.verify.accumulators.Product`.

    uint8 codes and int8 weights are multiplied as they are, in pairs along K from the first;
    each sum of two saturates to int16, and these are added exactly. The zero point is subtracted
    afterwards, as ``zero_point * sum(weights)``, from a sum that may have saturated.
    """
    groups, rows, k = columns.shape
    total = np.zeros((groups, rows, weights.shape[2]), np.int32)
    x, w = columns.astype(np.int32), weights.astype(np.int32)
    for p in range(0, k, 2):
        pair = x[:, :, p, None] * w[:, None, p]
        if p + 1 < k:
            pair += x[:, :, p + 1, None] * w[:, None, p + 1]
        np.clip(pair, -32768, 32767, out=pair)
        total += pair
    return total.astype(np.int64) - zero_point * weights.astype(np.int64).sum(1)[:, None, :]
