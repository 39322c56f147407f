"""TensorFlow Lite Micro: the interpreter of its Python package, with the portable kernels."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.network import Network
from kdq_ref.verify.oracles.tflite_model import build_model

_ARENA = 1 << 20
"""Bytes for what every model needs, beside its tensors."""


class TFLiteMicro:
    """The interpreter for microcontrollers, run on this machine.

    Attributes
    ----------
    name, package : str
        See :class:`kdq_ref.verify.oracle.Oracle`.
    """

    name = "tflite-micro"
    package = "tflite-micro"

    def version(self) -> str | None:
        """Version of the installed runtime, or None where it is not installed."""
        try:
            importlib.import_module("tflite_micro.python.tflite_micro.runtime")
            return importlib.metadata.version("tflite_micro")
        except (ImportError, importlib.metadata.PackageNotFoundError):
            return None

    def run(self, network: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the codes of every node.

        Raises
        ------
        UnsupportedError
        """
        if self.version() is None:
            raise UnsupportedError(f"{self.name} is not installed: pip install {self.package}")
        runtime = importlib.import_module("tflite_micro.python.tflite_micro.runtime")
        batch = len(next(iter(inputs.values())))
        model = build_model(network, batch)
        try:
            interpreter = runtime.Interpreter.from_bytes(
                model.content,
                arena_size=_ARENA + 2 * len(model.content) + 2 * model.activation_bytes,
                intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors,
            )
            for index, name in enumerate(model.inputs):
                interpreter.set_input(np.ascontiguousarray(inputs[name]), index)
            interpreter.invoke()
        except (RuntimeError, ValueError) as fault:
            raise UnsupportedError(f"{self.name} cannot run the model: {fault}") from fault
        return {
            node.name: interpreter.GetTensor(model.tensors[node.name], 0)["tensor_data"]
            for node in network.nodes
        }


ORACLES = {"tflite-micro": TFLiteMicro()}
"""TensorFlow Lite Micro on this machine."""
