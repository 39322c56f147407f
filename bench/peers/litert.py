"""LiteRT (TensorFlow Lite) with its default delegate, XNNPACK.

int8 activations and weights, weights per channel. The call is ``invoke`` alone: the input lies in
the interpreter's own memory beforehand.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.models import Problem
from bench.peers import Runner, Unsupported
from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.oracles.litert import ORACLES
from kdq_ref.verify.oracles.tflite_model import build_model

_ORACLE = ORACLES["litert"]


class LiteRT:
    """The interpreter as it comes."""

    name = _ORACLE.name
    version = _ORACLE.version()

    def prepare(self, problem: Problem, threads: int) -> Runner:
        """Build the flatbuffer and allocate the interpreter's tensors."""
        try:
            model = build_model(problem.model.network, problem.batch)
            interpreter = _ORACLE.interpreter(model.content, threads)
        except UnsupportedError as fault:
            raise Unsupported(str(fault)) from fault
        (source,) = model.inputs
        interpreter.set_tensor(model.tensors[source], problem.codes)
        result = interpreter.get_output_details()[0]["index"]

        def codes() -> np.ndarray:
            output: Any = interpreter.get_tensor(result)
            return np.asarray(output, np.int8)

        return Runner(interpreter.invoke, codes, _note(interpreter))


def _note(interpreter: Any) -> str:
    """What the delegate has not taken; empty if it runs the whole model."""
    parts = sum(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())
    if parts == 1:
        return ""
    return f"XNNPACK runs {parts} parts, LiteRT's own kernels the rest" if parts else "no XNNPACK"


def peer(name: str) -> LiteRT:
    """Return the one peer of this family."""
    return LiteRT()
