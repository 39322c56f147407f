"""Where two dialects part first on an input, and why, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialect import Dialect
from kdq_ref.verify.network import Encoding, Network, Node, store
from kdq_ref.verify.parting_affine import explain_affine
from kdq_ref.verify.parting_real import explain_real
from kdq_ref.verify.proofs.pair_sums import AFFINE

REAL = "real input"
"""Name of the input of a network that quantizes it itself."""


@dataclass(frozen=True, eq=False)
class Parting:
    """The first value, and its first element, that two dialects compute differently.

    Attributes
    ----------
    value, operator : str
    element : tuple of int
        The batch first.
    codes : (int, int)
        Of either dialect, in int8.
    differing, elements : int
        Elements of the value that differ, and all.
    numbers : dict of str to str
        The integers and reals behind the element.
    reasons : tuple of str
        Each a hypothesis that was tested on these numbers.
    """

    value: str
    operator: str
    element: tuple[int, ...]
    codes: tuple[int, int]
    differing: int
    elements: int
    numbers: dict[str, str]
    reasons: tuple[str, ...]


def with_real_input(network: Network) -> Network:
    """Return the network that quantizes its one input itself: dialects may part there already."""
    ((name, encoding),) = network.inputs.items()
    quantize = Node(name, "quantize", (REAL,), encoding)
    return Network(
        {REAL: Encoding("float32")},
        {REAL: network.shapes[name]},
        (quantize, *network.nodes),
        network.output,
    )


def first_parting(
    network: Network, a: Dialect, b: Dialect, x: np.ndarray
) -> tuple[Parting | None, dict[str, Any]]:
    """Compare two dialects node by node, the second one on what the first one computed before.

    Parameters
    ----------
    network : Network
        Of one input, stored in int8.
    a, b : Dialect
    x : (B, ...) ndarray
        int8 codes; or reals, which both dialects quantize.

    Returns
    -------
    parting : Parting or None
        None if they agree in every element of every value.
    outcome : dict
        Of both on the whole network: ``differing`` and ``elements`` of the output, and for rows of
        classes ``classes_changed``.

    Raises
    ------
    UnsupportedError
        For an operator that one of them does not describe.
    """
    if x.dtype != np.int8:
        network = with_real_input(network)
    (source,) = network.inputs
    values = _run(network, a, {source: x})
    whole = _run(network, b, {source: x})
    ours, theirs = values[network.output], whole[network.output]
    outcome = {"differing": int((ours != theirs).sum()), "elements": ours.size}
    if ours.ndim == 2:
        outcome["classes_changed"] = int((ours.argmax(axis=1) != theirs.argmax(axis=1)).sum())
    for node in network.nodes:
        inputs = {name: values[name] for name in node.inputs}
        other = _node(network, b, node, inputs)
        differs = values[node.name] != other
        if differs.any():
            return _parting(network, node, (a, b), inputs, (values[node.name], other)), outcome
    return None, outcome


def _run(network: Network, dialect: Dialect, x: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    inputs = {name: store(value, dialect.storage) for name, value in x.items()}
    values = dialect.run(network.stored_as(dialect.storage), inputs)
    return {name: store(value, "int8") for name, value in values.items()}


def _node(
    network: Network, dialect: Dialect, node: Node, inputs: Mapping[str, np.ndarray]
) -> np.ndarray:
    if node.operator not in dialect.operators:
        reason = dialect.notes.get(node.operator, "the runtime has no such operator")
        raise UnsupportedError(f"dialect {dialect.name} has no {node.operator}: {reason}")
    stored = network.stored_as(dialect.storage)
    own = next(one for one in stored.nodes if one.name == node.name)
    codes = tuple(store(inputs[name], dialect.storage) for name in node.inputs)
    return store(dialect.operators[node.operator](stored, own, codes), "int8")


def _parting(
    network: Network,
    node: Node,
    dialects: tuple[Dialect, Dialect],
    inputs: Mapping[str, np.ndarray],
    outputs: tuple[np.ndarray, np.ndarray],
) -> Parting:
    differs = outputs[0] != outputs[1]
    element = tuple(int(axis[0]) for axis in np.nonzero(differs))
    explain = explain_affine if node.operator in AFFINE else explain_real
    numbers, reasons = explain(network, node, dialects, inputs, outputs, element)
    codes = int(outputs[0][element]), int(outputs[1][element])
    return Parting(
        node.name, node.operator, element, codes, int(differs.sum()), differs.size, numbers, reasons
    )
