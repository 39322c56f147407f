"""A dialect: what one runtime computes, operator by operator, to the last bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.network import Network, Node

AVX2 = "x86 with AVX2 and FMA, without AVX-512 and VNNI"
"""The processor on which runtimes with kernels by instruction set were compared."""

Operator = Callable[[Network, Node, tuple[np.ndarray, ...]], np.ndarray]
"""``operator(network, node, inputs)``: batches of codes, ``(B, ...)``, to the node's codes."""


@dataclass(frozen=True, eq=False)
class Dialect:
    """What a runtime computes.

    Attributes
    ----------
    name : str
    runtime : str
        Name of the oracle whose bits these are, or empty for a text (``onnx-spec``) or ours.
    storage : str
        ``"int8"`` or ``"uint8"``: how activations are stored.
    summary : str
        One line: rule, multiplier, where it differs from its neighbours.
    operators : mapping of str to callable
        Those that are reproduced; see :data:`Operator`.
    notes : mapping of str to str
        By operator: the formula and its source, or why it is not reproduced, with the evidence.
    processor : str
        What the runtime has to run on to compute so, or empty where that does not matter.
    """

    name: str
    runtime: str
    storage: str
    summary: str
    operators: Mapping[str, Operator]
    notes: Mapping[str, str]
    processor: str = ""

    def run(self, network: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute every value of the network.

        Parameters
        ----------
        network : Network
            Stored as :attr:`storage` says.
        inputs : mapping of str to (B, ...) ndarray
            Codes of every input.

        Returns
        -------
        dict of str to (B, ...) ndarray
            Inputs, and the codes of every node.

        Raises
        ------
        UnsupportedError
            For an operator that this dialect does not reproduce; the message says why.
        """
        values = {name: np.asarray(inputs[name]) for name in network.inputs}
        for node in network.nodes:
            if node.operator not in self.operators:
                reason = self.notes.get(node.operator, "the runtime has no such operator")
                raise UnsupportedError(
                    f"dialect {self.name} does not describe {node.operator}: {reason}"
                )
            sources = tuple(values[name] for name in node.inputs)
            values[node.name] = self.operators[node.operator](network, node, sources)
        return values
