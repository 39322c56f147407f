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

from bench.models import Problem
from bench.peers import Runner, Unsupported
from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.network import store
from kdq_ref.verify.oracles.onnx_model import build_model
from kdq_ref.verify.oracles.onnxruntime import OnnxRuntime as Oracle


class OnnxRuntime:
    """One configuration of ONNX Runtime."""

    version = onnxruntime.__version__

    def __init__(self, name: str) -> None:
        self.name = name
        self._dtype = "int8" if name == "onnxruntime-s8s8" else "uint8"
        self._oracle = Oracle(name, exact=name == "onnxruntime-exact")

    def prepare(self, problem: Problem, threads: int) -> Runner:
        """Build the model, the session and the bindings."""
        network, batch = problem.model.network, problem.batch
        try:
            content = build_model(network.stored_as(self._dtype), batch=batch)
            session = self._oracle.session(content, threads)
        except UnsupportedError as fault:
            raise Unsupported(str(fault)) from fault
        shape = (batch, *problem.model.graph.output_shape)
        out = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
            shape, np.dtype(self._dtype).type, "cpu", 0
        )
        binding = session.io_binding()
        binding.bind_cpu_input("input", store(problem.codes, self._dtype))
        binding.bind_ortvalue_output(network.output, out)

        def codes() -> np.ndarray:
            return store(out.numpy(), "int8")

        return Runner(lambda: session.run_with_iobinding(binding), codes)


def peer(name: str) -> OnnxRuntime:
    """Return the configuration of that name."""
    return OnnxRuntime(name)
