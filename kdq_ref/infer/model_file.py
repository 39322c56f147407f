"""Integer networks on disk: one safetensors file, read without trusting any of it.

The manifest holds everything that is not an array; an array of node ``n`` is the tensor
``n.weight``, ``n.bias``, ``n.table``, ``n.multiplier``, ``n.exponent``, ``n.requant_scale`` or
``n.bounds``; and, only where the network's rule reads it, ``n.requant_real`` or ``n.requant_bias``.
The reader accepts exactly what the writer writes: every key, dtype, shape and range
is checked, the accumulator bounds are proven again and compared.
"""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any

import numpy as np

from kdq_ref.errors import KdqError, ModelFileError
from kdq_ref.files import load_tensors, save_tensors
from kdq_ref.infer.graph import IntGraph, IntNode
from kdq_ref.infer.ops import OPS, Op
from kdq_ref.rounding import Constants, Requant, Rule, get_rule

KIND = "integer-model"
FORMAT = 1

_ARRAYS = {"weight": np.int8, "bias": np.int32, "table": np.int8}
_PAIRS = {"kernel": 2, "stride": 2, "dilation": 2, "padding": 4}
_CONSTANTS = {
    "multiplier": ("multiplier", np.int32),
    "exponent": ("exponent", np.int32),
    "scale": ("requant_scale", np.float32),
    "real": ("requant_real", np.float64),
    "bias": ("requant_bias", np.float32),
}
"""Of the constants of a rule: name of the tensor and dtype."""
_ALWAYS_STORED = ("multiplier", "exponent", "scale")
_NODE_KEYS = {"name", "kind", "inputs", "scale", "zero_point", "attributes"}
_GRAPH_KEYS = {"input", "nodes", "output", "rule", "source_digest", "metadata"}


def save_model(path: str | os.PathLike[str], graph: IntGraph) -> None:
    """Write an integer network; atomically, and the same bytes for the same network.

    Parameters
    ----------
    path : path-like
    graph : IntGraph
    """
    tensors, manifest = encode_model(graph)
    save_tensors(path, tensors, manifest, kind=KIND, format=FORMAT)


def encode_model(graph: IntGraph) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the tensors and the manifest that :func:`save_model` writes."""
    tensors: dict[str, np.ndarray] = {}
    nodes = []
    for node in graph.nodes:
        attributes: dict[str, Any] = {}
        for key, value in node.op.keywords().items():
            if key in _ARRAYS:
                tensors[f"{node.name}.{key}"] = value
            elif key == "requant":
                attributes[key] = {"qmin": value.qmin, "qmax": value.qmax}
                for name, (tensor, _) in _stored_constants(value.rule).items():
                    tensors[f"{node.name}.{tensor}"] = getattr(value.constants, name)
            else:
                attributes[key] = value
        if node.name in graph.bounds:
            tensors[f"{node.name}.bounds"] = graph.bounds[node.name]
        nodes.append(
            {
                "name": node.name,
                "kind": node.op.kind,
                "inputs": list(node.inputs),
                "scale": node.scale,
                "zero_point": node.zero_point,
                "attributes": attributes,
            }
        )
    manifest = {
        "input": {
            "shape": list(graph.input_shape),
            "scale": graph.input_scale,
            "zero_point": graph.input_zero_point,
        },
        "nodes": nodes,
        "output": graph.output,
        "rule": graph.rule.name,
        "source_digest": graph.source_digest,
        "metadata": graph.metadata,
    }
    return tensors, manifest


def load_model(path: str | os.PathLike[str]) -> IntGraph:
    """Read an integer network written by :func:`save_model`.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    IntGraph

    Raises
    ------
    ModelFileError
        For any fault: damage, unknown or missing keys and tensors, wrong dtypes, shapes or ranges,
        an impossible graph, bounds that do not hold.
    """
    tensors, manifest = load_tensors(path, kind=KIND, error=ModelFileError, format=FORMAT)
    try:
        graph = _decode(manifest, tensors)
    except _Fault as fault:
        raise ModelFileError(path, str(fault)) from fault
    except KdqError as fault:
        raise ModelFileError(path, f"describes an impossible network: {fault}") from fault
    return graph


class _Fault(ValueError):
    """A manifest that does not have the form the writer gives it."""


def _decode(manifest: dict[str, Any], tensors: dict[str, np.ndarray]) -> IntGraph:
    _exact_keys("the manifest", manifest, _GRAPH_KEYS)
    entry = _typed("input", manifest["input"], dict)
    _exact_keys("input", entry, {"shape", "scale", "zero_point"})
    rule = get_rule(_typed("rule", manifest["rule"], str))
    left = dict(tensors)
    stored_bounds: dict[str, np.ndarray] = {}
    nodes = []
    for value in _typed("nodes", manifest["nodes"], list):
        node = _decode_node(_typed("node", value, dict), left, rule)
        nodes.append(node)
        if f"{node.name}.bounds" in left:
            stored_bounds[node.name] = left.pop(f"{node.name}.bounds")
    if left:
        raise _Fault(f"holds tensors that belong to no node: {sorted(left)[:5]}")
    graph = IntGraph(
        input_shape=_integers("input shape", entry["shape"]),
        input_scale=_number("input scale", entry["scale"]),
        input_zero_point=_typed("input zero_point", entry["zero_point"], int),
        nodes=tuple(nodes),
        output=_typed("output", manifest["output"], str),
        rule=rule,
        source_digest=_typed("source_digest", manifest["source_digest"], str),
        metadata=_typed("metadata", manifest["metadata"], dict),
    )
    if stored_bounds.keys() != graph.bounds.keys() or not all(
        np.array_equal(stored_bounds[name], graph.bounds[name]) for name in graph.bounds
    ):
        raise _Fault("its accumulator bounds are not those of its weights")
    return graph


def _decode_node(entry: dict[str, Any], left: dict[str, np.ndarray], rule: Rule) -> IntNode:
    _exact_keys("a node", entry, _NODE_KEYS)
    name = _typed("node name", entry["name"], str)
    kind = _typed("kind", entry["kind"], str)
    if kind not in OPS:
        raise _Fault(f"node {name!r} has unknown kind {kind!r}; known: {', '.join(OPS)}")
    inputs = tuple(_typed("input name", i, str) for i in _typed("inputs", entry["inputs"], list))
    zero_point = _typed("zero_point", entry["zero_point"], int)
    attributes = _typed("attributes", entry["attributes"], dict)
    wanted = {field.name for field in fields(OPS[kind])}
    _exact_keys(f"node {name!r}", attributes, wanted - _ARRAYS.keys())
    keywords: dict[str, Any] = {}
    for key in wanted:
        if key in _ARRAYS:
            keywords[key] = _tensor(left, f"{name}.{key}", _ARRAYS[key])
        elif key == "requant":
            keywords[key] = _decode_requant(name, attributes[key], left, rule, zero_point)
        elif key in _PAIRS:
            keywords[key] = _integers(key, attributes[key], _PAIRS[key])
        else:
            keywords[key] = _typed(key, attributes[key], int)
    op: Op = OPS[kind](**keywords)
    return IntNode(name, op, inputs, _number("scale", entry["scale"]), zero_point)


def _decode_requant(
    name: str, value: Any, left: dict[str, np.ndarray], rule: Rule, zero_point: int
) -> Requant:
    entry = _typed("requant", value, dict)
    _exact_keys(f"requant of node {name!r}", entry, {"qmin", "qmax"})
    stored = _stored_constants(rule).items()
    constants = Constants(
        **{field: _tensor(left, f"{name}.{tensor}", dtype) for field, (tensor, dtype) in stored}
    )
    qmin, qmax = _typed("qmin", entry["qmin"], int), _typed("qmax", entry["qmax"], int)
    return Requant(rule, constants, zero_point, qmin, qmax)


def _stored_constants(rule: Rule) -> dict[str, tuple[str, type]]:
    return {
        name: stored
        for name, stored in _CONSTANTS.items()
        if name in _ALWAYS_STORED or name in rule.uses
    }


def _exact_keys(where: str, entry: dict[str, Any], wanted: set[str]) -> None:
    if entry.keys() != wanted:
        missing, extra = sorted(wanted - entry.keys()), sorted(entry.keys() - wanted)
        raise _Fault(f"{where}: missing keys {missing}, unexpected keys {extra}")


def _typed(what: str, value: Any, kind: type) -> Any:
    # bool is an int to Python, but never one of ours.
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _Fault(f"{what} must be a {kind.__name__}, got {value!r}")
    return value


def _number(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Fault(f"{what} must be a number, got {value!r}")
    try:
        return float(value)
    except OverflowError as fault:
        raise _Fault(f"{what} is beyond float64") from fault


def _integers(what: str, value: Any, length: int | None = None) -> tuple[int, ...]:
    numbers = tuple(_typed(what, part, int) for part in _typed(what, value, list))
    if length is not None and len(numbers) != length:
        raise _Fault(f"{what} must have {length} parts, got {value!r}")
    return numbers


def _tensor(left: dict[str, np.ndarray], name: str, dtype: type) -> np.ndarray:
    if name not in left:
        raise _Fault(f"tensor {name!r} is missing")
    array = left.pop(name)
    if array.dtype != dtype:
        raise _Fault(f"tensor {name!r} is {array.dtype.name}, not {np.dtype(dtype).name}")
    return array
