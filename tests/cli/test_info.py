"""`kdq info`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from strategies.int_networks import residual_network

import kdq_ref
from kdq_ref import infer, kernels
from kdq_ref.cli import info
from kdq_ref.infer import load_model


def test_this_machine(invoke) -> None:
    """Versions, processor, threads, and the kernel with its reason."""
    report = invoke("info", "--json").json
    assert report["version"] == kdq_ref.__version__
    assert report["numpy"] == np.__version__
    assert report["core"] is kernels.core_available()
    assert report["isa"]["reason"]
    assert report["cpus"] >= 1
    printed = invoke("info").stdout
    for word in (kdq_ref.__version__, report["cpu"], report["isa"]["reason"]):
        assert word in printed


@pytest.mark.skipif(not kernels.core_available(), reason="there is no C core")
def test_an_impossible_isa_is_shown(invoke, monkeypatch) -> None:
    """The command that explains the choice does not fail on a wrong one."""
    monkeypatch.setenv("KDQ_ISA", "mmx")
    outcome = invoke("info", "--json")
    assert outcome.code == 0
    assert outcome.json["isa"]["chosen"] is None
    assert "mmx" in outcome.json["isa"]["reason"]


def test_without_the_core(capsys, monkeypatch) -> None:
    """The reason for its absence stands where the kernel would."""
    nothing = kernels.IsaReport(None, "no compiler", (), ())
    monkeypatch.setattr(kernels, "isa_report", lambda: nothing)
    info.show_machine(info.machine())
    assert "kernel:             none: no compiler\n" in capsys.readouterr().out


def test_a_float_model(invoke, teacher: Path, report: dict[str, Any]) -> None:
    """Layers add up to the whole."""
    described = invoke("info", teacher, "--json").json
    assert described["kind"] == "float"
    for total, key in ((described["params"], "params"), (described["macs"], "macs")):
        assert total == report["teacher"][key] == sum(x[key] for x in described["layers"])
    printed = invoke("info", teacher).stdout
    assert all(layer["name"] in printed for layer in described["layers"])
    assert "file says: zoo:" in printed


def test_an_integer_model(invoke, integers: Path, report: dict[str, Any]) -> None:
    """Every constant is there, and the table names every layer, rule and digest."""
    described = invoke("info", integers, "--json").json
    graph = load_model(integers)
    assert described["kind"] == "integer"
    assert described["macs"] == sum(x["macs"] for x in described["layers"]) == graph.macs()
    assert described["bytes"] == report["int8"]["bytes"]
    assert described["source_digest"] == graph.source_digest
    for layer, node in zip(described["layers"], graph.nodes, strict=True):
        assert (layer["scale"], layer["zero_point"]) == (node.scale, node.zero_point)
        if hasattr(node.op, "requant"):
            constants = node.op.requant.constants
            assert layer["requant"]["multiplier"] == constants.multiplier.tolist()
            assert layer["requant"]["exponent"] == constants.exponent.tolist()
            assert layer["bounds"] == graph.bounds[node.name].tolist()
    printed = invoke("info", integers).stdout
    words = [layer["name"] for layer in described["layers"]]
    for word in (*words, graph.rule.name, graph.source_digest, "multiplier m", "exponent e"):
        assert word in printed


@pytest.mark.parametrize("rule", ["double_rounding", "float32_rne", "fbgemm", "onnx_spec"])
def test_every_operator(rule: str, invoke, tmp_path: Path) -> None:
    """A network with all operators is described, with the constants that its rule uses."""
    infer.save_model(tmp_path / "m", residual_network(1, rule))
    outcome = invoke("info", tmp_path / "m")
    assert outcome.code == 0
    for words, rules in (
        ("exponent e", {"double_rounding"}),
        ("scale     ", {"float32_rne", "fbgemm"}),
        ("real bias", {"fbgemm"}),
    ):
        header = next(line for line in outcome.stdout.splitlines() if "requantization" in line)
        assert (words in header) is (rule in rules)
    assert outcome.stdout.count("depthwise_conv2d") == 1


def test_hostile_names_are_harmless(invoke, tmp_path: Path) -> None:
    """Names and metadata from the file have no effect on the terminal."""
    graph = residual_network(1)
    first = graph.nodes[0]
    evil = "\x1b]0;title\x07[bold red]"
    nodes = [
        infer.IntNode(
            evil if node is first else node.name,
            node.op,
            tuple(evil if name == first.name else name for name in node.inputs),
            node.scale,
            node.zero_point,
        )
        for node in graph.nodes
    ]
    renamed = infer.IntGraph(
        graph.input_shape,
        graph.input_scale,
        graph.input_zero_point,
        tuple(nodes),
        graph.output,
        graph.rule,
        metadata={evil: evil},
    )
    infer.save_model(tmp_path / "m", renamed)
    printed = invoke("info", tmp_path / "m").stdout
    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert "\\x1b]0;title\\x07[bold red]" in printed


def test_not_a_model(invoke, checkpoint: Path, tmp_path: Path) -> None:
    """A checkpoint, a missing file: one line each."""
    for path in (checkpoint, tmp_path / "none"):
        outcome = invoke("info", path)
        assert outcome.code == 1
        assert outcome.stderr.startswith(f"kdq: error: {path}")
