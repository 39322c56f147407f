"""ONNX Runtime: standard quantized ONNX models, built with the onnx package.

Three ways to run the same integers:

``onnxruntime``
    uint8 activations, int8 weights: what its quantizer makes by default. On x86 without VNNI the
    pair sums saturate.
``onnxruntime-exact``
    The same model with the session option ``session.x64quantprecision``: weights become uint8.
``onnxruntime-s8s8``
    int8 activations, int8 weights.

The call is ``run_with_iobinding`` on inputs and outputs allocated beforehand.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as _state

from bench.models import Problem
from bench.peers import Runner, Unsupported
from bench.peers.onnx_model import build_model

# They have no base of their own.
_FAULTS = tuple(
    kind for kind in vars(_state).values() if isinstance(kind, type) and issubclass(kind, Exception)
)


class OnnxRuntime:
    """One configuration of ONNX Runtime."""

    version = onnxruntime.__version__

    def __init__(self, name: str) -> None:
        self.name = name
        self._unsigned = name != "onnxruntime-s8s8"
        self._exact = name == "onnxruntime-exact"

    def prepare(self, problem: Problem, threads: int) -> Runner:
        """Build the model, the session and the bindings."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if self._exact:
            options.add_session_config_entry("session.x64quantprecision", "1")
        content = build_model(problem, unsigned=self._unsigned)
        try:
            session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except _FAULTS as fault:
            raise Unsupported(f"the session refuses the model: {fault}") from fault
        dtype = np.uint8 if self._unsigned else np.int8
        shift = 128 if self._unsigned else 0
        x = (problem.codes.astype(np.int16) + shift).astype(dtype)
        shape = (problem.batch, *problem.model.graph.output_shape)
        out = onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, dtype, "cpu", 0)
        binding = session.io_binding()
        binding.bind_cpu_input("input", x)
        binding.bind_ortvalue_output("output", out)

        def codes() -> np.ndarray:
            return (out.numpy().astype(np.int16) - shift).astype(np.int8)

        return Runner(lambda: session.run_with_iobinding(binding), codes)


def peer(name: str) -> OnnxRuntime:
    """Return the configuration of that name."""
    return OnnxRuntime(name)
