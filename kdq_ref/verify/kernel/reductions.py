"""Smaller calls than a given one, largest steps first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kdq_ref.verify.kernel.abi import CONV2D, GEMM
from kdq_ref.verify.kernel.problem import Problem

_SMALL = 48  # elements of an array that are reduced one by one
Axis = list[tuple[str, int]]


def reductions(problem: Problem) -> Iterator[Problem]:
    """Yield calls that are smaller or plainer in one respect; all of them are legal."""
    for name, axes in _axes(problem).items():
        yield from _shorter(problem, name, axes)
    if problem.abi.family is CONV2D:
        yield from _plainer_geometry(problem)
    yield from _tighter(problem)
    yield from _plainer_numbers(problem)
    for name, array in problem.inputs.items():
        yield from _plainer_array(problem, name, array)


def _axes(problem: Problem) -> dict[str, Axis]:
    """Sizes that can shrink, and the axes of arrays that go with them; "real" is the scaling's."""
    if problem.abi.family is GEMM:
        return {
            "m": [("a", 0)],
            "n": [("b", 1), ("bias", 0), ("real", 0)],
            "k": [("a", 1), ("b", 0)],
        }
    if problem.abi.family is not CONV2D:
        return {"rows": [("acc", 0)], "channels": [("acc", 1), ("bias", 0), ("real", 0)]}
    axes: dict[str, Axis] = {"batch": [("x", 0)]}
    channels: Axis = [("bias", 0), ("real", 0)]
    sizes = problem.sizes
    if sizes["groups"] == 1:
        axes["out_c"] = [("weight", 3), *channels]
        axes["in_c"] = [("x", 3), ("weight", 2)]
    elif problem.abi.depthwise and sizes["in_c"] == sizes["out_c"]:
        axes["groups"] = [("x", 3), ("weight", 3), *channels]
    axes |= {"in_h": [("x", 1)], "in_w": [("x", 2)]}
    return axes | {"kernel_h": [("weight", 0)], "kernel_w": [("weight", 1)]}


def _shorter(problem: Problem, name: str, axes: Axis) -> Iterator[Problem]:
    size = problem.sizes[name]
    half = size // 2
    runs = [(0, half), (half, size), (0, size - 1), (1, size)]
    least = 0 if problem.abi.family is not CONV2D else 1
    for start, end in dict.fromkeys(runs):
        if least <= end - start < size:
            yield from _legal(_cut(problem, name, axes, start, end))


def _cut(problem: Problem, name: str, axes: Axis, start: int, end: int) -> Problem:
    inputs = dict(problem.inputs)
    scaling = problem.scaling
    for array, axis in axes:
        if array == "real":
            if scaling is not None and len(scaling.real) > 1:
                # With no channel left there is still one multiplier.
                real = scaling.real[start : max(end, start + 1)]
                scaling = replace(scaling, real=real if len(real) else scaling.real[:1])
        elif array in inputs:
            inputs[array] = np.take(inputs[array], range(start, end), axis)
    sizes = dict(problem.sizes)
    sizes[name] = end - start
    if name == "groups":
        sizes["in_c"] = sizes["out_c"] = end - start
    for array, leading in problem.abi.family.leading.items():
        columns = {"m": "", "n": "bc", "k": "a"}.get(name, "")
        if array in columns or (name == "channels" and leading in sizes):
            sizes[leading] -= problem.sizes[name] - (end - start)
    return replace(problem, sizes=sizes, inputs=inputs, scaling=scaling)


def _legal(problem: Problem) -> Iterator[Problem]:
    """The same with the output that its window has, if it has any."""
    if problem.abi.family is not CONV2D:
        yield problem
        return
    sizes = dict(problem.sizes)
    for d, before in (("h", "pad_top"), ("w", "pad_left")):
        reach = (sizes[f"kernel_{d}"] - 1) * sizes[f"dilation_{d}"] + 1
        room = sizes[f"in_{d}"] + 2 * sizes[before] - reach  # as much padding behind as before
        if room < 0:
            return
        sizes[f"out_{d}"] = min(room // sizes[f"stride_{d}"] + 1, max(problem.sizes[f"out_{d}"], 1))
    yield replace(problem, sizes=sizes)


def _plainer_geometry(problem: Problem) -> Iterator[Problem]:
    for names, value in (
        (("stride_h", "stride_w"), 1),
        (("dilation_h", "dilation_w"), 1),
        (("pad_top", "pad_left"), 0),
    ):
        for name in names:
            if problem.sizes[name] != value:
                yield from _legal(replace(problem, sizes={**problem.sizes, name: value}))
    for name in ("out_h", "out_w"):
        if problem.sizes[name] > 1:
            for fewer in (1, problem.sizes[name] - 1):
                yield replace(problem, sizes={**problem.sizes, name: fewer})


def _tighter(problem: Problem) -> Iterator[Problem]:
    for array, leading in problem.abi.family.leading.items():
        own = problem.inputs.get(array)
        columns = problem.channels if own is None else own.shape[1]
        if problem.sizes[leading] > columns:
            for stride in (columns, columns + 1):
                if stride < problem.sizes[leading]:
                    yield replace(problem, sizes={**problem.sizes, leading: stride})


def _plainer_numbers(problem: Problem) -> Iterator[Problem]:
    if problem.abi.family.zero_point and problem.zero_point != 0:
        name = problem.abi.family.zero_point
        for value in (0, 1 if problem.zero_point > 0 else -1, problem.zero_point // 2):
            if abs(value) < abs(problem.zero_point):
                yield replace(problem, sizes={**problem.sizes, name: value})
    if "bias" in problem.inputs:
        inputs = {name: array for name, array in problem.inputs.items() if name != "bias"}
        yield replace(problem, inputs=inputs)
    scaling = problem.scaling
    if scaling is None:
        return
    low, high = problem.abi.codes
    if (scaling.qmin, scaling.qmax) != (low, high):
        yield problem.with_scaling(qmin=low, qmax=high)
    if scaling.zero_point != 0:
        yield problem.with_scaling(zero_point=0)
        yield problem.with_scaling(zero_point=int(np.sign(scaling.zero_point)))
    if len(scaling.real) > 1:
        yield problem.with_scaling(real=scaling.real[:1])
    least, most = scaling.rule.limits
    for real in (0.5, 0.25, 2.0 ** np.round(np.log2(scaling.real))):
        plain = np.broadcast_to(real, scaling.real.shape).astype(np.float64)
        smaller = np.abs(np.log2(plain)).sum() < np.abs(np.log2(scaling.real)).sum()
        odd = (np.frexp(scaling.real)[0] != 0.5).any()
        if (smaller or odd) and (plain >= least).all() and (plain < most).all():
            yield problem.with_scaling(real=plain.copy())


def _plainer_array(problem: Problem, name: str, array: np.ndarray) -> Iterator[Problem]:
    def replaced(values: np.ndarray) -> Problem:
        return replace(problem, inputs={**problem.inputs, name: values.astype(array.dtype)})

    wide = array.astype(np.int64)
    zero = problem.zero_point if name == problem.abi.family.data else 0
    for plain in (np.full_like(wide, zero), np.sign(wide), wide // 2):
        if not np.array_equal(plain, wide) and np.abs(plain).sum() <= np.abs(wide).sum():
            yield replaced(plain)
    if array.size > _SMALL:
        return
    for index in np.ndindex(array.shape):
        value = int(wide[index])
        for smaller in dict.fromkeys(
            (0, int(np.sign(value)), int(value / 2), value - int(np.sign(value)))
        ):
            if abs(smaller) < abs(value):
                changed = wide.copy()
                changed[index] = smaller
                yield replaced(changed)
