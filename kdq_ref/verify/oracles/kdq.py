"""Our own engine: integer networks in C, or the specification where there is no compiler."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kdq_ref import __version__, infer, intref, kernels
from kdq_ref.errors import UnsupportedError
from kdq_ref.rounding import single_rounding
from kdq_ref.verify.network import Network, Node
from kdq_ref.verify.own_operators import own_operator


class Kdq:
    """The C core; see :class:`~kdq_ref.verify.oracle.Oracle`."""

    name, package = "kdq", "kdq_ref"

    def version(self) -> str | None:
        """Version of this package; None where it has no C core to compare with."""
        return __version__ if kernels.core_available() else None

    def run(self, network: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the codes of every node, each computed from the one before by its C kernel.

        Raises
        ------
        UnsupportedError
            For what our integer networks do not have.
        """
        values = {name: np.asarray(inputs[name]) for name in network.inputs}
        for node in network.nodes:
            sources = [values[name] for name in node.inputs]
            values[node.name] = _run(network, node, sources)
        return {node.name: values[node.name] for node in network.nodes}


def _run(network: Network, node: Node, inputs: list[np.ndarray]) -> np.ndarray:
    if node.operator == "quantize":
        output = node.output
        return kernels.quantize(inputs[0], scale=output.scale, zero_point=output.zero_point)
    if node.operator == "dequantize":
        source = network.encodings[node.inputs[0]]
        return kernels.dequantize(inputs[0], scale=source.scale, zero_point=source.zero_point)
    if node.operator == "softmax":
        if (node.output.scale, node.output.zero_point) != (1 / 256, -128):
            raise UnsupportedError("softmax has the output scale 1/256 and zero point -128")
        scale = network.encodings[node.inputs[0]].scale
        return kernels.softmax(inputs[0], intref.softmax_table(scale))
    op: infer.Op = own_operator(network, node, single_rounding)
    result: np.ndarray = getattr(kernels, op.kind)(*inputs, **op.keywords())
    return result


ORACLES = {"kdq": Kdq()}
