"""Test vectors in a file: a network, what it was fed with, and what came out.

One safetensors file. Tensors are called ``input/NAME``, ``output/NAME`` (values of the network),
``codes/NODE``, ``scales/NODE`` and ``bias/NODE``; the manifest has the rest of the network.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kdq_ref.errors import FileFormatError
from kdq_ref.files import load_tensors, save_tensors
from kdq_ref.verify.network import Encoding, Network, Node, Weight
from kdq_ref.verify.network_check import check_inputs, check_network

KIND = "vectors"
_FORMAT = 1
_GEOMETRY = ("kernel", "stride", "dilation", "padding")


@dataclass(frozen=True, eq=False)
class Vectors:
    """What a runtime was asked and answered.

    Attributes
    ----------
    network : Network
    inputs : dict of str to ndarray
    outputs : dict of str to ndarray
        Codes of some values of the network.
    """

    network: Network
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]


def save_vectors(path: str | os.PathLike[str], vectors: Vectors) -> None:
    """Write vectors, whole or not at all.

    Raises
    ------
    OSError
    """
    network = vectors.network
    tensors = {f"input/{name}": value for name, value in vectors.inputs.items()}
    tensors |= {f"output/{name}": value for name, value in vectors.outputs.items()}
    for node in network.nodes:
        if node.weight is not None:
            tensors[f"codes/{node.name}"] = node.weight.codes
            tensors[f"scales/{node.name}"] = node.weight.scales
        if node.bias is not None:
            tensors[f"bias/{node.name}"] = node.bias
    manifest = {
        "inputs": {name: asdict(encoding) for name, encoding in network.inputs.items()},
        "shapes": {name: list(shape) for name, shape in network.shapes.items()},
        "nodes": [_plain(node) for node in network.nodes],
        "output": network.output,
    }
    save_tensors(path, tensors, manifest, kind=KIND, format=_FORMAT)


def load_vectors(path: str | os.PathLike[str]) -> Vectors:
    """Read what :func:`save_vectors` wrote.

    Raises
    ------
    FileFormatError
        For any other file, naming the fault.
    OSError
    """
    tensors, manifest = load_tensors(path, kind=KIND, error=FileFormatError, format=_FORMAT)
    try:
        network = Network(
            {name: Encoding(**encoding) for name, encoding in manifest["inputs"].items()},
            {name: tuple(shape) for name, shape in manifest["shapes"].items()},
            tuple(_node(fields, tensors) for fields in manifest["nodes"]),
            manifest["output"],
        )
        inputs = {name: tensors[f"input/{name}"] for name in network.inputs}
        check_network(network)
        check_inputs(network, inputs)
    except (KeyError, TypeError, AttributeError, ValueError) as fault:
        raise FileFormatError(path, f"does not describe a network: {fault}") from fault
    outputs = _group(tensors, "output/")
    if not outputs or outputs.keys() - network.encodings.keys():
        raise FileFormatError(path, "its outputs are not values of its network")
    for name, codes in outputs.items():
        if codes.dtype.name != network.encodings[name].dtype:
            raise FileFormatError(path, f"output {name!r} is {codes.dtype}, not as it is encoded")
    return Vectors(network, inputs, outputs)


def _plain(node: Node) -> dict[str, Any]:
    """What JSON can hold of a node; an infinite bound is null."""
    clamp = node.clamp
    return {
        "name": node.name,
        "operator": node.operator,
        "inputs": list(node.inputs),
        "output": asdict(node.output),
        "groups": node.groups,
        "clamp": clamp and [bound if math.isfinite(bound) else None for bound in clamp],
        **{name: list(getattr(node, name)) for name in _GEOMETRY},
    }


def _node(fields: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Node:
    name, clamp = fields["name"], fields["clamp"]
    codes = tensors.get(f"codes/{name}")
    geometry: dict[str, Any] = {key: tuple(fields[key]) for key in _GEOMETRY}
    if clamp is not None:
        low, high = clamp
        clamp = (-math.inf if low is None else low, math.inf if high is None else high)
    return Node(
        name=name,
        operator=fields["operator"],
        inputs=tuple(fields["inputs"]),
        output=Encoding(**fields["output"]),
        weight=None if codes is None else Weight(codes, tensors[f"scales/{name}"]),
        bias=tensors.get(f"bias/{name}"),
        groups=fields["groups"],
        clamp=clamp,
        **geometry,
    )


def _group(tensors: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
