"""Proof that no accumulator of an operator can leave int32, from its actual weights."""

from __future__ import annotations

import numpy as np

from kdq_ref import operands
from kdq_ref.errors import AccumulatorOverflowError
from kdq_ref.infer.ops import Affine, Op

INT32_MAX = 2**31 - 1


def accumulator_bounds(
    weight: np.ndarray, bias: np.ndarray, x_zero_point: int, low: int = -128, high: int = 127
) -> tuple[np.ndarray, np.ndarray]:
    r"""Reachable accumulators of every output channel, and a bound on every partial sum.

    .. math::
        b + \sum_k \min((lo-z) w_k, (hi-z) w_k) \le acc \le b + \sum_k \max((lo-z) w_k, (hi-z) w_k)

    and any partial sum, in any order, is at most
    :math:`|b| + \max(|lo-z|, |hi-z|) \sum_k |w_k|` in magnitude. Padded positions contribute 0.

    Parameters
    ----------
    weight : (..., C) int8 ndarray
        All axes but the last are summed over.
    bias : (C,) int32 ndarray
    x_zero_point : int
    low, high : int
        Range of the input's codes.

    Returns
    -------
    reachable : (C, 2) int64 ndarray
        Smallest and largest accumulator.
    partial : (C,) int64 ndarray
        Largest magnitude of a partial sum.
    """
    x_zero_point = operands.check_zero_point("x_zero_point", x_zero_point)
    w = weight.astype(np.int64).reshape(-1, weight.shape[-1])
    b = bias.astype(np.int64)
    # Widened to hold 0, which is what a padded position adds.
    below, above = min(low - x_zero_point, 0), max(high - x_zero_point, 0)
    smallest = b + np.minimum(below * w, above * w).sum(axis=0)
    largest = b + np.maximum(below * w, above * w).sum(axis=0)
    partial = np.abs(b) + max(-below, above) * np.abs(w).sum(axis=0)
    return np.stack([smallest, largest], axis=1), partial


def prove(name: str, op: Op) -> np.ndarray | None:
    """Return an affine operator's reachable accumulators : (C, 2), or None for other operators.

    The other operators are bounded by construction (:mod:`kdq_ref.operands`).

    Raises
    ------
    AccumulatorOverflowError
        If a channel's bound leaves int32; the message names layer, channel and bound.
    """
    if not isinstance(op, Affine):
        return None
    reachable, partial = accumulator_bounds(op.weight, op.bias, op.x_zero_point)
    if partial.size and partial.max() > INT32_MAX:
        channel = int(partial.argmax())
        raise AccumulatorOverflowError(
            f"layer {name!r}, channel {channel}: a partial sum may reach {int(partial[channel])}, "
            f"beyond int32 ({INT32_MAX}); use fewer inputs per output, smaller weights, "
            f"or a larger scale for the bias"
        )
    return reachable
