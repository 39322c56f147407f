"""A kernel that is a Python callable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.rounding import Constants, Requant
from kdq_ref.verify.kernel.abi import CONV2D, UNSUPPORTED, Abi
from kdq_ref.verify.kernel.problem import Problem, Scaling, matrix
from kdq_ref.verify.kernel.trial import CallableFailed, Prepared


class Function:
    """A Python callable with the arguments of its namesake in :mod:`kdq_ref.intref`.

    Arrays are views of guarded memory, strided where the calling convention has strides.

    Parameters
    ----------
    function : callable
        Of ``(a, b)`` for products; ``(a, b, bias, x_zero_point=, requant=)`` for dense layers;
        ``(acc, requant=)`` for requantize; ``(x, weight, bias, x_zero_point=, requant=, stride=,
        padding=, dilation=)`` for convolutions, also ``groups=`` unless depthwise. Returns the
        output, or NotImplemented for what it does not claim to compute.
    abi : Abi

    Raises
    ------
    InvalidArgumentError
        If it cannot be called, or ``abi`` has no form in Python.
    """

    def __init__(self, function: Callable[..., Any], abi: Abi) -> None:
        if not callable(function):
            raise InvalidArgumentError(f"{function!r} cannot be called")
        if abi.output == "uint8":
            raise InvalidArgumentError(
                f"abi {abi.name} is for libraries only: a rounding.Requant makes int8"
            )
        self.function = function

    def scratch_bytes(self, problem: Problem) -> int:
        """None: Python allocates."""
        return 0

    def invoke(self, calls: Sequence[Prepared]) -> None:
        """Call the function; several calls on a thread each."""
        if len(calls) == 1:
            self._call(calls[0])
            return
        failures: list[Exception] = []

        def work(call: Prepared) -> None:
            try:
                self._call(call)
            except CallableFailed as failure:
                failures.append(failure)

        threads = [threading.Thread(target=work, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _call(self, ready: Prepared) -> None:
        problem = ready.call.problem
        arrays = {name: _view(ready, name) for name in problem.inputs}
        try:
            result = self.function(*_positional(problem, arrays), **_keywords(problem))
        except Exception as error:
            raise CallableFailed(f"raises {type(error).__name__}: {error}") from error
        if result is NotImplemented:
            ready.number = UNSUPPORTED
            return
        shape: tuple[int, ...] = (problem.rows, problem.channels)
        if problem.abi.family is CONV2D:
            shape = tuple(problem.sizes[n] for n in ("batch", "out_h", "out_w", "out_c"))
        right_kind = isinstance(result, np.ndarray) and result.dtype == problem.abi.output
        if not right_kind or result.shape != shape:
            asked = f"an {problem.abi.output} array of shape {shape}"
            raise CallableFailed(f"returns {_described(result)}, not {asked}")
        output = matrix(ready.output.array, (problem.rows, problem.channels), problem.output_stride)
        output[...] = result.reshape(output.shape)


def _described(result: object) -> str:
    if isinstance(result, np.ndarray):
        return f"an array of {result.dtype}, shape {result.shape}"
    return "None" if result is None else type(result).__name__


def _view(ready: Prepared, name: str) -> np.ndarray:
    problem, memory = ready.call.problem, ready.arrays[name].array
    array, leading = problem.inputs[name], problem.abi.family.leading.get(name)
    if leading is None:
        return memory.reshape(array.shape)
    return matrix(memory, array.shape, problem.sizes[leading])


def _positional(problem: Problem, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    family = problem.abi.family
    operands = [arrays[name] for name in (family.data, family.weight) if name]
    if problem.scaling is None:
        return operands
    if family.weight:
        zeros = np.zeros(problem.channels, np.int32)
        real = problem.scaling.rule.keeps_bias_real
        operands.append(zeros if real else arrays.get("bias", zeros))
    elif "bias" in arrays and not problem.scaling.rule.keeps_bias_real:
        operands[0] = operands[0] + arrays["bias"]
    return operands


def _keywords(problem: Problem) -> dict[str, Any]:
    keywords: dict[str, Any] = {}
    if problem.scaling is not None:
        keywords["requant"] = _requant(problem, problem.scaling)
    if problem.abi.family.zero_point and problem.abi.requantizes:
        keywords["x_zero_point"] = problem.zero_point
    if problem.abi.family is CONV2D:
        s = problem.sizes
        bottom, right = (
            (s[f"out_{d}"] - 1) * s[f"stride_{d}"]
            + (s[f"kernel_{d}"] - 1) * s[f"dilation_{d}"]
            + 1
            - s[f"in_{d}"]
            - s[f"pad_{before}"]
            for d, before in (("h", "top"), ("w", "left"))
        )
        keywords |= {
            "stride": (s["stride_h"], s["stride_w"]),
            "dilation": (s["dilation_h"], s["dilation_w"]),
            "padding": (s["pad_top"], max(bottom, 0), s["pad_left"], max(right, 0)),
        }
        if not problem.abi.depthwise:
            keywords["groups"] = s["groups"]
    return keywords


def _requant(problem: Problem, scaling: Scaling) -> Requant:
    rule = scaling.rule
    constants = rule.constants(1.0, scaling.real, 1.0)
    if rule.keeps_bias_real and problem.channels:
        bias = problem.bias.astype(np.float32)
        spread = {name: np.broadcast_to(a, bias.shape) for name, a in vars(constants).items()}
        constants = Constants(**{**spread, "bias": bias})
    return Requant(rule, constants, scaling.zero_point, scaling.qmin, scaling.qmax)
