"""Every reachable accumulator, on every instruction set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from strategies.int_networks import scaled_network

from kdq_ref import infer, kernels
from kdq_ref.infer.ops import Lookup
from kdq_ref.rounding import RULES, Requant
from kdq_ref.verify.proofs import requantizations
from kdq_ref.verify.proofs.reach import reach
from kdq_ref.verify.proofs.requantizations import Mismatch, check, count

needs_core = pytest.mark.skipif(not kernels.core_available(), reason="no C core to compare with")


def _dense(weights: list[int], bias: list[int], scales: list[float]) -> infer.IntGraph:
    """One input, an output for each weight."""
    rule = RULES["single_rounding"]
    constants = rule.constants(1.0, np.array(scales), 1.0)
    op = infer.Dense(
        np.array([weights], np.int8), np.array(bias, np.int32), -128, Requant(rule, constants, 3)
    )
    node = infer.IntNode("y", op, ("input",), 1.0, 3)
    return infer.IntGraph((1,), 1.0, -128, (node,), "y", rule)


@needs_core
@pytest.mark.parametrize("rule", sorted(set(RULES) - {"fbgemm"}))
def test_all_instruction_sets_agree(rule: str) -> None:
    """On every accumulator of a network with every operator; the progress adds up."""
    graph = scaled_network(5, rule)
    found, steps = reach(graph), []
    checked = check(graph, found, kernels.available_isas(), threads=2, progress=steps.append)
    assert checked.mismatches == ()
    assert checked.accumulators == count(graph, found) == sum(steps) > 10_000
    assert checked.channels == sum(len(interval) for interval in found.accumulators.values())


@needs_core
def test_equal_constants_are_checked_once() -> None:
    """Three channels of two constants: overlapping intervals are united, distant ones are not."""
    graph = _dense([1, 1, 2, 1], [0, 100, 0, 9000], [0.5, 0.5, 0.25, 0.5])
    checked = check(graph, reach(graph), kernels.available_isas()[:1])
    assert (checked.channels, checked.distinct) == (4, 2)
    assert checked.accumulators == (0 - 0 + 356) + 511 + 256


@needs_core
@pytest.mark.parametrize("place", [0, 77, 255])
def test_one_wrong_code_is_found(monkeypatch, place: int) -> None:
    """A planted error in a single accumulator of a single channel, wherever it is."""
    graph = _dense([1, 100], [-40, 7], [0.5, 0.01])
    right = kernels.requantize

    def wrong(acc: np.ndarray, requant: Requant, *, isa: str) -> np.ndarray:
        codes = right(acc, requant, isa=isa)
        hit = (acc == place - 40) & (requant.constants.exponent == 0)
        return np.where(hit, codes ^ 1, codes)

    monkeypatch.setattr(requantizations.kernels, "requantize", wrong)
    (isa,) = kernels.available_isas()[:1]
    (mismatch,) = check(graph, reach(graph), (isa,)).mismatches
    expected = int(graph.nodes[0].op.requant.apply(np.full((1, 2), place - 40))[0, 0])
    assert mismatch == Mismatch(isa, "y", 0, place - 40, expected, expected ^ 1)


def test_without_instruction_sets_nothing_is_claimed() -> None:
    """No accumulators compared, as that is what happened."""
    graph = _dense([1], [0], [0.5])
    checked = check(graph, reach(graph), ())
    assert (checked.isas, checked.accumulators, checked.channels) == ((), 0, 1)


def test_a_network_without_requantization_has_nothing_to_check() -> None:
    """A table only."""
    nodes = (infer.IntNode("t", Lookup(np.zeros(256, np.int8)), ("input",), 1.0, 0),)
    graph = replace(_dense([1], [0], [0.5]), nodes=nodes, output="t")
    assert count(graph, reach(graph)) == 0
    assert check(graph, reach(graph), ()).channels == 0
