"""LiteRT (TensorFlow Lite) in its three forms: with XNNPACK, without it, and reference kernels."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping
from typing import Any

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.network import Network
from kdq_ref.verify.oracles.tflite_model import build_model


class LiteRT:
    """The interpreter with one set of kernels.

    Parameters
    ----------
    name : str
    resolver : str
        Name in the interpreter's ``OpResolverType``: which kernels run.
    delegated : bool
        Whether XNNPACK takes what it can; then only the output can be asked for.

    Attributes
    ----------
    name, package : str
        See :class:`kdq_ref.verify.oracle.Oracle`.
    """

    package = "ai-edge-litert"

    def __init__(self, name: str, resolver: str, *, delegated: bool) -> None:
        self.name, self._resolver, self._delegated = name, resolver, delegated

    def version(self) -> str | None:
        """Version of the installed runtime, or None where it is not installed."""
        try:
            importlib.import_module("ai_edge_litert.interpreter")
            return importlib.metadata.version("ai_edge_litert")
        except (ImportError, importlib.metadata.PackageNotFoundError):
            return None

    def interpreter(self, content: bytes, threads: int = 1) -> Any:
        """Return an interpreter of a file, its tensors allocated.

        Raises
        ------
        UnsupportedError
            With the interpreter's message, where it refuses the file or is not installed.
        """
        if self.version() is None:
            raise UnsupportedError(f"{self.name} is not installed: pip install {self.package}")
        module = importlib.import_module("ai_edge_litert.interpreter")
        try:
            interpreter = module.Interpreter(
                model_content=content,
                num_threads=threads,
                experimental_op_resolver_type=module.OpResolverType[self._resolver],
                experimental_preserve_all_tensors=not self._delegated,
            )
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as fault:
            raise UnsupportedError(f"{self.name} refuses the model: {fault}") from fault
        return interpreter

    def run(self, network: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the codes of every node, or of the output alone where XNNPACK runs the rest.

        Raises
        ------
        UnsupportedError
        """
        batch = len(next(iter(inputs.values())))
        model = build_model(network, batch)
        interpreter = self.interpreter(model.content)
        for name in model.inputs:
            interpreter.set_tensor(model.tensors[name], np.ascontiguousarray(inputs[name]))
        try:
            interpreter.invoke()
        except RuntimeError as fault:
            raise UnsupportedError(f"{self.name} cannot run the model: {fault}") from fault
        names = [network.output] if self._delegated else [node.name for node in network.nodes]
        return {name: interpreter.get_tensor(model.tensors[name]) for name in names}


ORACLES = {
    oracle.name: oracle
    for oracle in (
        LiteRT("litert", "BUILTIN", delegated=True),
        LiteRT("litert-builtin", "BUILTIN_WITHOUT_DEFAULT_DELEGATES", delegated=False),
        LiteRT("litert-reference", "BUILTIN_REF", delegated=False),
    )
}
"""As it comes, where XNNPACK runs the operators that it knows; its own optimized kernels, with ruy;
its reference kernels."""
