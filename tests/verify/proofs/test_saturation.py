"""Verdicts on every layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies.int_networks import scaled_network

from kdq_ref import nn, quant
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.int_network import network_of
from kdq_ref.verify.network import store
from kdq_ref.verify.proofs import saturation
from kdq_ref.verify.proofs.input_search import Search
from kdq_ref.verify.proofs.saturation import CERTIFIED, LAYER, NETWORK, OPEN, find

_NAME = "onnxruntime-avx2-default"
_QUICK = Search(rounds=2)


@settings(max_examples=12)
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 3]))
def test_verdicts_are_sound(seed: int, divisor: int) -> None:
    """No input makes a certified layer differ from the exact dialect; a witness does."""
    graph = scaled_network(seed, divisor=divisor)
    network = network_of(graph)
    stored, dialect = network.stored_as("uint8"), get_dialect(_NAME)
    rng = np.random.default_rng(seed)
    mixed = rng.integers(0, 256, (8, 6, 5, 3))
    x = np.concatenate([mixed, rng.choice([0, 255], (8, 6, 5, 3))]).astype(np.uint8)
    values = dialect.run(stored, {"input": x})
    for finding in find(graph, network, dialect, None, _QUICK):
        node = next(node for node in stored.nodes if node.name == finding.layer)
        codes = values
        if finding.verdict == NETWORK:
            codes = dialect.run(stored, {"input": store(finding.witness, "uint8")})
        elif finding.verdict == LAYER:
            codes = {node.inputs[0]: finding.witness}
        inputs = (codes[node.inputs[0]],)
        wrong = dialect.operators[node.operator](stored, node, inputs)
        right = get_dialect("onnxruntime").operators[node.operator](stored, node, inputs)
        if finding.verdict == CERTIFIED:
            assert (wrong == right).all()
            assert finding.witness is None
        elif finding.verdict != OPEN:
            assert (wrong != right).sum() == finding.changed > 0
            assert finding.pair is not None
            assert not -(2**15) <= finding.pair.total < 2**15


def test_a_depthwise_layer_makes_no_pairs() -> None:
    """It has a kernel of its own, whatever its weights are."""
    graph = scaled_network(0)
    findings = {
        f.layer: f for f in find(graph, network_of(graph), get_dialect(_NAME), None, _QUICK)
    }
    assert findings["depthwiseconv1"].verdict == CERTIFIED
    assert "no pair sums" in findings["depthwiseconv1"].reason


def _behind_six(scale: float) -> tuple:
    """A dense layer of large weights behind a ReLU6, whose codes end where it ends."""
    rng = np.random.default_rng(0)
    layers = [nn.Dense(4, 4, rng=rng), nn.ReLU6(), nn.Dense(4, 2, rng=rng)]
    graph = quant.quantize(
        nn.Sequential((4,), layers), rng.normal(0, 1, (64, 4)).astype(np.float32)
    )
    first, second = graph.nodes
    # 6 is scale * (code - zero_point): a coarser scale leaves fewer codes.
    requant = replace(
        first.op.requant,
        constants=graph.rule.constants(graph.input_scale, np.full(4, 2.0**-3), scale),
        qmin=-128,
        qmax=round(6 / scale) - 128,
        zero_point=-128,
    )
    weight = np.full((4, 2), 127, np.int8)
    after = replace(
        second.op,
        weight=weight,
        x_zero_point=-128,
        requant=replace(
            second.op.requant,
            constants=graph.rule.constants(scale, np.full(2, 2.0**-7), second.scale),
        ),
    )
    nodes = (
        replace(first, op=replace(first.op, requant=requant), scale=scale, zero_point=-128),
        replace(second, op=after),
    )
    return replace(graph, nodes=nodes), second.name


@pytest.mark.parametrize(("scale", "certified"), [(0.0625, True), (0.03125, False)])
def test_the_clamp_of_the_layer_before_counts(scale: float, certified: bool) -> None:
    """96 * 127 * 2 = 24,384 fits; 192 * 127 * 2 = 48,768 does not."""
    graph, name = _behind_six(scale)
    findings = {
        f.layer: f for f in find(graph, network_of(graph), get_dialect(_NAME), None, _QUICK)
    }
    assert (findings[name].verdict == CERTIFIED) == certified
    assert findings[name].highest == round(6 / scale) * 127 * 2


def test_a_layer_witness_does_not_claim_the_network(monkeypatch) -> None:
    """Where no input of the network is found, the verdict says that this is open."""
    monkeypatch.setattr(saturation, "network_witness", lambda *arguments: None)
    graph = scaled_network(0)
    findings = list(find(graph, network_of(graph), get_dialect(_NAME), None, _QUICK))
    assert NETWORK in {f.verdict for f in findings if f.layer == graph.nodes[0].name}
    deeper = [f for f in findings[1:] if f.verdict not in (CERTIFIED, OPEN)]
    assert deeper
    assert {f.verdict for f in deeper} == {LAYER}
    assert all("no input was found" in f.reason for f in deeper)


def test_without_any_witness_the_layer_is_open(monkeypatch) -> None:
    """Neither certified nor refuted: it says so."""
    monkeypatch.setattr(saturation, "network_witness", lambda *arguments: None)
    monkeypatch.setattr(saturation, "layer_witness", lambda *arguments: None)
    graph = scaled_network(0)
    verdicts = {f.verdict for f in find(graph, network_of(graph), get_dialect(_NAME))}
    assert verdicts == {CERTIFIED, OPEN}
