"""The reference evaluator of the onnx package, asked for its own answer."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.network import Network


class OnnxReference:
    """``onnx.reference``; models without ONNX Runtime's own operators.

    See :class:`~kdq_ref.verify.oracle.Oracle`.
    """

    name, package = "onnx-reference", "onnx"

    def version(self) -> str | None:
        """Version of the installed onnx, or None."""
        try:
            return importlib.metadata.version("onnx")
        except importlib.metadata.PackageNotFoundError:
            return None

    def run(self, network: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the codes of every node.

        Raises
        ------
        UnsupportedError
            If the evaluator fails; the message is its own.
        """
        import onnx
        from onnx.reference import ReferenceEvaluator

        from kdq_ref.verify.oracles.onnx_model import build_model

        names = [node.name for node in network.nodes]
        model = onnx.load_model_from_string(build_model(network, outputs=names, contrib=False))
        with np.errstate(all="ignore"):
            try:
                results = ReferenceEvaluator(model).run(
                    names, {name: inputs[name] for name in network.inputs}
                )
            except (ValueError, TypeError, RuntimeError, IndexError) as fault:
                raise UnsupportedError(f"{self.name} fails: {fault}") from fault
        return dict(zip(names, (np.asarray(result) for result in results), strict=True))


ORACLES = {"onnx-reference": OnnxReference()}
