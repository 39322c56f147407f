"""A kernel in steps, each of which can be replaced by a wrong one.

``load`` takes codes from memory and arranges them as products of matrices (a convolution becomes
one product per group), ``accumulate`` sums, ``bias`` and ``constants`` take these of every channel,
``scale`` adds the bias and applies the rule, ``finish`` adds the zero point and clamps, ``store``
writes. With no step replaced this is the specification: the tests hold it against
:mod:`kdq_ref.intref`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdq_ref.intref.window import window_slices
from kdq_ref.verify.kernel.abi import CONV2D, REQUANTIZE
from kdq_ref.verify.kernel.problem import Problem, Scaling, matrix


@dataclass
class Operands:
    """The products behind an output.

    Attributes
    ----------
    a : (G, R, K) int64 ndarray
        Codes; where padded, the zero point.
    b : (G, K, N) int64 ndarray
    zero_point : int
        Subtracted from ``a``.
    padded : (G, R, K) bool ndarray or None
        Which elements of ``a`` are padding.
    """

    a: np.ndarray
    b: np.ndarray
    zero_point: int
    padded: np.ndarray | None = None


Step = Callable[..., Any]
Steps = Mapping[str, Step]


def load(problem: Problem) -> Operands | None:
    """Arrange the codes as products; None where the data are accumulators already."""
    if problem.abi.family is REQUANTIZE:
        return None
    if problem.abi.family is not CONV2D:
        a, b = (problem.inputs[name].astype(np.int64)[None] for name in ("a", "b"))
        return Operands(a, b, problem.zero_point)
    return patches(problem, problem.inputs["weight"])


def patches(problem: Problem, weight: np.ndarray, **geometry: int) -> Operands:
    """Arrange a convolution as products, with other strides, dilations or padding if given."""
    s = {**problem.sizes, **geometry}
    x = problem.inputs["x"].astype(np.int64)
    kernel, groups = (s["kernel_h"], s["kernel_w"]), s["groups"]
    out, stride = (s["out_h"], s["out_w"]), (s["stride_h"], s["stride_w"])
    dilation = (s["dilation_h"], s["dilation_w"])
    reach = [
        (out[n] - 1) * stride[n] + (kernel[n] - 1) * dilation[n] + 1 - before - x.shape[n + 1]
        for n, before in enumerate((s["pad_top"], s["pad_left"]))
    ]
    padding = (s["pad_top"], max(reach[0], 0), s["pad_left"], max(reach[1], 0))
    inside = np.broadcast_to(np.ones((1, *x.shape[1:3], 1), np.int64), x.shape)

    def gather(image: np.ndarray, fill: int) -> np.ndarray:
        taps = [t for _, t in window_slices(image, fill, kernel, stride, padding, dilation, out)]
        # (B, OH, OW, T, C) to (G, R, T * C / G)
        depth = x.shape[3] // groups
        split = np.stack(taps, axis=3).reshape(problem.rows, len(taps), groups, depth)
        return split.transpose(2, 0, 1, 3).reshape(groups, problem.rows, len(taps) * depth)

    b = weight.astype(np.int64)
    b = b.reshape(np.prod(b.shape[:3], dtype=int), groups, b.shape[3] // groups)
    b = b.transpose(1, 0, 2)
    return Operands(gather(x, problem.zero_point), b, problem.zero_point, gather(inside, 0) == 0)


def accumulate(operands: Operands) -> np.ndarray:
    """Exact sums : (R, G * N) int64."""
    return join((operands.a - operands.zero_point) @ operands.b)


def join(sums: np.ndarray) -> np.ndarray:
    """(G, R, N) to (R, G * N)."""
    groups, rows, columns = sums.shape
    return sums.transpose(1, 0, 2).reshape(rows, groups * columns)


def take_bias(bias: np.ndarray) -> np.ndarray:
    """The bias of every channel."""
    return bias


def take_constants(scaling: Scaling) -> Scaling:
    """The constants of every channel."""
    return scaling


def scale(acc: np.ndarray, bias: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Apply the rule : (R, C) int64."""
    return scaling.apply(acc, bias, scaling.rule)


def finish(y: np.ndarray, scaling: Scaling, dtype: str) -> np.ndarray:
    """Add the zero point, then clamp."""
    return np.clip(y + scaling.zero_point, scaling.qmin, scaling.qmax)


def store(codes: np.ndarray, memory: np.ndarray, problem: Problem) -> None:
    """Write every row, and nothing between rows."""
    matrix(memory, codes.shape, problem.output_stride)[...] = codes.astype(memory.dtype)


SPECIFICATION: dict[str, Step] = {
    "load": load,
    "accumulate": accumulate,
    "bias": take_bias,
    "constants": take_constants,
    "scale": scale,
    "finish": finish,
    "store": store,
}


def compute(problem: Problem, memory: np.ndarray, steps: Steps | None = None) -> np.ndarray:
    """Return what an output would hold that held ``memory`` before the call.

    Parameters
    ----------
    problem : Problem
    memory : (problem.output_size,) ndarray
    steps : mapping, optional
        Steps that replace those of the specification.
    """
    run = {**SPECIFICATION, **(steps or {})}
    memory = memory.copy()
    operands = run["load"](problem)
    acc = problem.data.astype(np.int64) if operands is None else run["accumulate"](operands)
    if problem.scaling is not None:
        scaling = run["constants"](problem.scaling)
        acc = run["scale"](acc, run["bias"](problem.bias), scaling)
        acc = run["finish"](acc, problem.scaling, problem.abi.output)
    run["store"](acc, memory, problem)
    return memory
