"""LiteRT (TensorFlow Lite) with its default delegate, XNNPACK.

int8 activations and weights, weights per channel. The call is ``invoke`` alone: the input lies in
the interpreter's own memory beforehand.
"""

from __future__ import annotations

import importlib.metadata
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from bench.models import Problem
from bench.peers import Runner, Unsupported
from bench.peers.tflite_model import build_model


class LiteRT:
    """The interpreter as it comes."""

    name = "litert"
    version = importlib.metadata.version("ai_edge_litert")

    def prepare(self, problem: Problem, threads: int) -> Runner:
        """Build the flatbuffer and allocate the interpreter's tensors."""
        content = build_model(problem)
        try:
            interpreter = Interpreter(model_content=content, num_threads=threads)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as fault:
            raise Unsupported(f"the interpreter refuses the model: {fault}") from fault
        source = interpreter.get_input_details()[0]["index"]
        result = interpreter.get_output_details()[0]["index"]
        interpreter.set_tensor(source, problem.codes)

        def codes() -> np.ndarray:
            output: Any = interpreter.get_tensor(result)
            return np.asarray(output, np.int8)

        return Runner(interpreter.invoke, codes, _note(interpreter))


def _note(interpreter: Interpreter) -> str:
    """What the delegate has not taken; empty if it runs the whole model."""
    parts = sum(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())
    if parts == 1:
        return ""
    return f"XNNPACK runs {parts} parts, LiteRT's own kernels the rest" if parts else "no XNNPACK"


def peer(name: str) -> LiteRT:
    """Return the one peer of this family."""
    return LiteRT()
