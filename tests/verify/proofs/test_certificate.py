"""Certificates, and what they are about."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.int_networks import scaled_network

from kdq_ref import infer
from kdq_ref.rounding import Constants
from kdq_ref.verify.proofs import certificate
from kdq_ref.verify.proofs.confirmation import Confirmation
from kdq_ref.verify.proofs.reach import Reach, reach
from kdq_ref.verify.proofs.requantizations import Checked, Mismatch
from kdq_ref.verify.proofs.saturation import NETWORK, Finding


def _certified(graph: infer.IntGraph) -> infer.IntGraph:
    return certificate.attach(graph, certificate.certify(graph, [], {}, {}))


def test_a_certificate_survives_the_file(tmp_path: Path) -> None:
    """Valid before and after; metadata of other kinds does not disturb it."""
    graph = _certified(replace(scaled_network(1), metadata={"classes": ["a"]}))
    assert certificate.status(graph) == certificate.VALID
    infer.save_model(tmp_path / "model", graph)
    loaded = infer.load_model(tmp_path / "model")
    assert certificate.status(loaded) == certificate.VALID
    assert loaded.metadata == graph.metadata
    assert loaded.metadata["classes"] == ["a"]
    renamed = replace(
        loaded, metadata={**loaded.metadata, "classes": ["b"]}, source_digest="0" * 64
    )
    assert certificate.status(renamed) == certificate.VALID


@given(st.sampled_from(["weight", "bias", "multiplier", "exponent", "clamp", "stride"]))
def test_any_change_makes_it_stale(what: str) -> None:
    """One bit of a weight, a bias, a constant; a clamp; a scale; geometry."""
    graph = _certified(scaled_network(1))
    node = graph.nodes[0]
    op, requant = node.op, node.op.requant
    if what in ("weight", "bias"):
        array = getattr(op, what).copy()
        array.flat[-1] ^= 1
        op = replace(op, **{what: array})
    elif what in ("multiplier", "exponent"):
        fields = {k: v.copy() for k, v in vars(requant.constants).items()}
        fields[what][-1] -= 1
        op = replace(op, requant=replace(requant, constants=Constants(**fields)))
    elif what == "clamp":
        op = replace(op, requant=replace(requant, qmax=126))
    else:
        op = replace(op, padding=(1, 1, 1, 1), dilation=(1, 1), stride=(1, 1))
        graph = replace(graph, input_scale=graph.input_scale * 2)
    changed = replace(graph, nodes=(replace(node, op=op), *graph.nodes[1:]))
    assert certificate.status(changed) == certificate.STALE


@pytest.mark.parametrize("entry", [None, 7, "x", [], {}, {"format": 99}, {"digest": "x"}])
def test_what_is_no_certificate_is_called_unreadable(entry: object) -> None:
    """The metadata of a file may hold anything."""
    graph = replace(scaled_network(1), metadata={certificate.KEY: entry})
    assert certificate.status(graph) == certificate.UNREADABLE
    assert certificate.status(replace(graph, metadata={})) == certificate.ABSENT


def test_the_parts_are_described() -> None:
    """Everything survives JSON, and a witness is all of its codes."""
    graph = scaled_network(1)
    rows = certificate.describe_accumulators(graph, reach(graph))
    for row in rows:
        lows, highs = zip(*row["channels"], strict=True)
        assert (min(lows), max(highs)) == (row["lowest"], row["highest"])
        if row["layer"] in graph.bounds:  # proven from the weights alone: at least as wide
            assert all(lows >= graph.bounds[row["layer"]][:, 0])
            assert all(highs <= graph.bounds[row["layer"]][:, 1])
    assert [row["layer"] for row in rows] == list(reach(graph).accumulators)
    wide = Reach({"y": np.array([[0, 1]])}, {"y": np.array([[0, 2**24 + 1]])})
    (row,) = certificate.describe_accumulators(graph, wide)
    assert row["inexact_in_float32"] == [{"channel": 0, "interval": [0, 2**24 + 1]}]
    checked = Checked(("avx2",), 9, 2, 1, (Mismatch("avx2", "y", 0, 5, 1, 2),))
    assert certificate.describe_checked(checked)["mismatches"][0]["got"] == 2
    witness = np.array([[-1, 5]], np.int8)
    finding = Finding("y", NETWORK, "because", -1, 40_000, 3, witness, 1)
    entry = certificate.describe_finding(finding, Confirmation("r 1.0", True, 8, 1))
    assert entry["witness"]["codes"] == "ff05"
    assert entry["witness"]["of"] == "the network's input"
    json.dumps([rows, row, entry])
