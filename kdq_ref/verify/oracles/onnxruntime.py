"""ONNX Runtime, asked for its own answer.

Two oracles run the same models: ``onnxruntime`` as it comes, whose products of uint8 and int8
saturate on x86 without VNNI, and ``onnxruntime-exact`` with the session option
``session.x64quantprecision``, which makes weights uint8.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.network import Network


class OnnxRuntime:
    """One configuration of ONNX Runtime on the CPU, with one thread.

    Attributes
    ----------
    name, package : str
        See :class:`~kdq_ref.verify.oracle.Oracle`.
    exact : bool
        Whether ``session.x64quantprecision`` is set.
    """

    package = "onnxruntime"

    def __init__(self, name: str, *, exact: bool) -> None:
        self.name, self.exact = name, exact

    def version(self) -> str | None:
        """Version of the installed runtime; None without it, or without onnx to build models."""
        try:
            importlib.metadata.version("onnx")
            return importlib.metadata.version("onnxruntime")
        except importlib.metadata.PackageNotFoundError:
            return None

    def session(self, content: bytes, threads: int = 1) -> Any:
        """Load a serialized model.

        Raises
        ------
        UnsupportedError
            If the runtime refuses it; the message is its own.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        if self.exact:
            options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            return onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except _faults() as fault:
            raise UnsupportedError(f"{self.name} refuses the model: {fault}") from fault

    def run(self, network: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the codes of every node.

        Raises
        ------
        UnsupportedError
            If the runtime refuses the model or the run.
        """
        from kdq_ref.verify.oracles.onnx_model import build_model

        names = [node.name for node in network.nodes]
        batch = len(next(iter(inputs.values())))
        session = self.session(build_model(network, outputs=names, batch=batch))
        try:
            results = session.run(names, {name: inputs[name] for name in network.inputs})
        except _faults() as fault:
            raise UnsupportedError(f"{self.name} refuses to run the model: {fault}") from fault
        return dict(zip(names, results, strict=True))


def _faults() -> tuple[type[Exception], ...]:
    """Everything the runtime raises; its exceptions have no base of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return tuple(
        kind
        for kind in vars(state).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    )


ORACLES = {
    "onnxruntime": OnnxRuntime("onnxruntime", exact=False),
    "onnxruntime-exact": OnnxRuntime("onnxruntime-exact", exact=True),
}
