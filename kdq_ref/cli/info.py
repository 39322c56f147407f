"""``kdq info``: this machine, or what is inside a model file."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from pathlib import Path
from typing import Any

import click
import numpy as np

from kdq_ref import __version__, kernels
from kdq_ref.cli import BLAS_VARIABLES, options, output
from kdq_ref.cli.models import load
from kdq_ref.infer import IntGraph, IntNode
from kdq_ref.nn import Graph
from kdq_ref.pipeline import Job
from kdq_ref.pipeline.measure import cpu_name
from kdq_ref.verify.proofs import certificate

_CERTIFICATES = {
    certificate.VALID: "valid: kdq prove was run on these very integers",
    certificate.STALE: "STALE: the network has changed since kdq prove was run; run it again",
    certificate.UNREADABLE: "not one of this version; run kdq prove",
    certificate.ABSENT: "none; kdq prove makes one",
}

_CONSTANTS = {
    "multiplier": "multiplier m",
    "exponent": "exponent e",
    "scale": "scale",
    "real": "multiplier",
    "bias": "real bias",
}
"""Heads of the columns for the constants of a rule."""


@click.command("info", short_help="Show this machine, or the layers of a model.")
@click.argument("model", type=options.FILE, required=False)
@options.json_option
def command(model: Path | None, as_json: bool) -> None:
    """Without MODEL: versions, processor, threads, and which kernel runs and why.

    With an integer model: every layer with shape, scale, zero point, rounding constants and
    accumulator bounds. With a float model: every layer with shape and size.

    \b
    Examples:
      kdq info
      kdq info runs/digits-seed0/student_int8.safetensors
      kdq info MODEL --json
    """
    if model is None:
        report = machine()
        show = show_machine
    else:
        loaded = load(model)
        facts = {"model": str(model), "kind": loaded.kind}
        if isinstance(loaded.graph, IntGraph):
            report = facts | describe_integer(loaded.graph)
            show = show_integer
        else:
            report = facts | describe_float(loaded.graph, loaded.metadata)
            show = show_float
    if as_json:
        output.print_json(report)
    else:
        show(report)


def machine() -> dict[str, Any]:
    """Return what decides how, and how fast, things run here (JSON-able)."""
    isa = kernels.isa_report()
    return {
        "version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": platform.platform(),
        "cpu": cpu_name(),
        "cpus": _usable_cpus(),
        "threads": Job.threads,
        "blas_threads": {name: os.environ.get(name) for name in BLAS_VARIABLES},
        "core": kernels.core_available(),
        "core_problem": kernels.core_problem(),
        "isa": dataclasses.asdict(isa),
    }


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def show_machine(report: dict[str, Any]) -> None:
    """Print the machine and the table of kernels."""
    isa = report["isa"]
    blas = ", ".join(f"{name}={value}" for name, value in report["blas_threads"].items())
    facts = {
        "kdq_ref": report["version"],
        "python": report["python"],
        "numpy": report["numpy"],
        "system": report["system"],
        "processor": report["cpu"],
        "features": ", ".join(isa["cpu_features"]) or "none known",
        "usable processors": str(report["cpus"]),
        "threads": f"{report['threads']} by default; {blas}",
        "kernel": f"{isa['chosen'] or 'none'}: {isa['reason']}",
    }
    for kernel in isa["kernels"]:
        facts[f"kernel {kernel['name']}"] = kernel["problem"] or "usable"
    output.print_facts(facts)


def describe_float(graph: Graph, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return a float network's layers (JSON-able)."""
    shapes = graph.shapes()
    layers = []
    for node in graph.nodes:
        read = [shapes[name] for name in node.inputs]
        layers.append(
            {
                "name": node.name,
                "kind": type(node.layer).__name__,
                "inputs": list(node.inputs),
                "shape": list(shapes[node.name]),
                "params": sum(array.size for array in node.layer.params.values()),
                "macs": node.layer.macs(read if node.layer.inputs > 1 else read[0]),
            }
        )
    return {
        "input": {"shape": list(graph.input_shape)},
        "output": graph.output,
        "params": graph.count_parameters(),
        "bytes": 4 * graph.count_parameters(),
        "macs": graph.macs(),
        "layers": layers,
        "metadata": metadata,
    }


def show_float(report: dict[str, Any]) -> None:
    """Print a float network's layers."""
    rows = [["input", "", _shape(report["input"]), "", ""]]
    rows += [
        [
            layer["name"],
            layer["kind"],
            _shape(layer),
            output.count(layer["params"]),
            output.count(layer["macs"]),
        ]
        for layer in report["layers"]
    ]
    rows.append(["total", "", "", output.count(report["params"]), output.count(report["macs"])])
    output.print_table(
        ("layer", "kind", "shape", "parameters", "MACs"), rows, f"float model {report['model']}"
    )
    output.print_facts(_origin(report["metadata"]))


def describe_integer(graph: IntGraph) -> dict[str, Any]:
    """Return an integer network's layers with all their constants (JSON-able)."""
    layers = [_describe_node(graph, node) for node in graph.nodes]
    return {
        "rule": graph.rule.name,
        "formula": graph.rule.formula,
        "source_digest": graph.source_digest,
        "input": {
            "shape": list(graph.input_shape),
            "scale": graph.input_scale,
            "zero_point": graph.input_zero_point,
        },
        "output": graph.output,
        "params": graph.count_parameters(),
        "bytes": graph.weight_bytes(),
        "macs": graph.macs(),
        "layers": layers,
        "certificate": certificate.status(graph),
        "metadata": graph.metadata,
    }


def _describe_node(graph: IntGraph, node: IntNode) -> dict[str, Any]:
    op = node.op
    layer: dict[str, Any] = {
        "name": node.name,
        "kind": op.kind,
        "inputs": list(node.inputs),
        "shape": list(graph.shapes[node.name]),
        "scale": node.scale,
        "zero_point": node.zero_point,
        "macs": op.macs(*(graph.shapes[name] for name in node.inputs)),
        "bytes": op.weight_bytes(),
    }
    requant = op.keywords().get("requant")
    if requant is not None:
        constants = requant.constants
        layer["requant"] = {
            **{name: value.tolist() for name, value in vars(constants).items()},
            "qmin": requant.qmin,
            "qmax": requant.qmax,
        }
    if node.name in graph.bounds:
        layer["bounds"] = graph.bounds[node.name].tolist()
    return layer


def show_integer(report: dict[str, Any]) -> None:
    """Print an integer network: its layers, then their rounding constants and bounds."""
    source = report["input"]
    rows = [
        ["input", "", _shape(source), f"{source['scale']:.6g}", str(source["zero_point"]), "", ""]
    ]
    rows += [
        [
            layer["name"],
            layer["kind"],
            _shape(layer),
            f"{layer['scale']:.6g}",
            str(layer["zero_point"]),
            output.count(layer["bytes"]),
            output.count(layer["macs"]),
        ]
        for layer in report["layers"]
    ]
    rows.append(
        ["total", "", "", "", "", output.count(report["bytes"]), output.count(report["macs"])]
    )
    columns = ("layer", "kind", "shape", "scale", "zero point", "bytes", "MACs")
    output.print_table(columns, rows, f"integer model {report['model']}")
    requants = [_requant_row(layer) for layer in report["layers"] if "requant" in layer]
    constants = ("requantization", *_CONSTANTS.values(), "clamp", "accumulator")
    # A rule uses some of the constants.
    used = [n for n in range(len(constants)) if any(row[n] for row in requants)]
    output.print_table([constants[n] for n in used], [[row[n] for n in used] for row in requants])
    facts = {
        "rule": f"{report['rule']}: {report['formula']}",
        "source digest": report["source_digest"] or "unknown",
        "certificate": _CERTIFICATES[report["certificate"]],
    }
    origin = {k: v for k, v in report["metadata"].items() if k != certificate.KEY}
    output.print_facts(facts | _origin(origin))


def _requant_row(layer: dict[str, Any]) -> list[str]:
    requant = layer["requant"]
    bounds = np.array(layer.get("bounds", []))
    return [
        layer["name"],
        *(_span(requant[name]) for name in _CONSTANTS),
        f"[{requant['qmin']}, {requant['qmax']}]",
        f"[{bounds[:, 0].min():,}, {bounds[:, 1].max():,}]" if bounds.size else "",
    ]


def _span(values: list[float]) -> str:
    """Smallest to largest over channels; nothing for constants that the rule does not use."""
    low, high = min(values), max(values)
    if not low and not high:
        return ""
    return f"{low:.10g}" if low == high else f"{low:.10g} to {high:.10g}"


def _shape(entry: dict[str, Any]) -> str:
    return "×".join(str(size) for size in entry["shape"])


def _origin(metadata: dict[str, Any]) -> dict[str, str]:
    """What the file says about itself, as it says it."""
    return {f"file says: {name}": json.dumps(value) for name, value in metadata.items()}
