"""Why two dialects differ in a dense layer or a convolution."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies.dialects import dense_network
from strategies.int_networks import scaled_network

from kdq_ref.verify.dialect import Dialect
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.dialects.kdq_rules import RULE_NAMES, under
from kdq_ref.verify.int_network import network_of
from kdq_ref.verify.network import Encoding, Network
from kdq_ref.verify.parting import Parting, first_parting
from kdq_ref.verify.parting_affine import distance_from_tie, hypotheses
from kdq_ref.verify.proofs.pair_sums import AFFINE


def _part(network: Network, a: Dialect, b: Dialect, x: list[list[int]]) -> Parting:
    parting, _ = first_parting(network, a, b, np.array(x, np.int8))
    assert parting is not None
    return parting


def test_a_tie() -> None:
    """One half goes up under one rule, to even under the other."""
    network = dense_network(np.ones((1, 1)), scale=0.5)
    parting = _part(network, under("single_rounding"), under("float32_rne"), [[1]])
    assert parting.numbers["exact value"] == "0.5, 0 from a tie"
    assert "ties: 0.5 goes up under single_rounding, to even under float32_rne" in parting.reasons


def test_double_rounding() -> None:
    """What is just below a tie is one after the first rounding."""
    multiplier = float(np.float32(0.25 - 2.0**-26))
    network = dense_network(np.ones((1, 1)), scale=multiplier)
    x = [[2]]
    network = replace(network, nodes=(replace(network.nodes[0], bias=np.array([0], np.int32)),))
    parting = _part(network, under("onnx_spec"), under("double_rounding"), x)
    assert parting.codes == (0, 1)
    assert any("rounded to 32 bits first" in reason for reason in parting.reasons)


def test_float32_loses_bits() -> None:
    """An accumulator above 2**24 that float32 does not hold."""
    acc = 2**24 + 1
    network = dense_network(np.zeros((1, 1)), scale=2.0**-23)
    node = replace(network.nodes[0], bias=np.array([acc + 2**22], np.int32))
    network = replace(network, nodes=(node,))
    parting = _part(network, under("onnx_spec"), under("float32_rne"), [[0]])
    assert parting.codes == (3, 2)
    assert any("float32 makes 20971521 20971520" in reason for reason in parting.reasons)


def test_a_pair_that_saturates() -> None:
    """The pair with its operands, and both accumulators."""
    network = dense_network(
        np.array([[100], [120]]),
        scale=2.0**-9,
        source=Encoding("int8", 1.0, -128),
    )
    saturating, exact = get_dialect("onnxruntime-avx2-default"), get_dialect("onnxruntime")
    parting = _part(network, exact, saturating, [[72, 127]])
    (reason,) = parting.reasons
    assert "pair 0: 200 * 100 + 255 * 120 = 50,600, held as 32,767" in reason
    assert "accumulator is 32,767 instead of 50,600" in reason


def test_the_zero_point_inside_the_rounding() -> None:
    """ONNX's reference evaluator: one half and a zero point of 1 make 2."""
    network = dense_network(np.ones((1, 1)), scale=0.5, output=Encoding("int8", 1.0, 1))
    parting = _part(
        network, get_dialect("onnx-spec"), get_dialect("onnx-reference-evaluator"), [[1]]
    )
    assert parting.codes == (1, 2)
    assert any("zero point 1 before rounding: 0.5 + 1" in reason for reason in parting.reasons)


def test_what_is_not_known_is_not_explained() -> None:
    """A dialect of its own: no hypothesis computes it, and that is said."""
    own = get_dialect("kdq")

    def odd(network, node, inputs):
        return own.operators["dense"](network, node, inputs) ^ 1

    other = replace(own, name="odd", operators={**own.operators, "dense": odd})
    parting = _part(dense_network(np.ones((1, 1))), own, other, [[7]])
    (reason,) = parting.reasons
    assert "odd computes this value in none of" in reason


@settings(max_examples=10)
@given(st.integers(0, 2**32), st.sampled_from(RULE_NAMES))
def test_every_rule_is_among_the_hypotheses(seed: int, name: str) -> None:
    """With exact sums it computes what the dialect of that name does, layer by layer."""
    network = network_of(scaled_network(seed, name))
    x = np.random.default_rng(seed).integers(-128, 128, (2, 6, 5, 3)).astype(np.int8)
    values = under(name).run(network, {"input": x})
    for node in network.nodes:
        if node.operator in AFFINE:
            (one,) = (
                h
                for h in hypotheses(network, node, values[node.inputs[0]])
                if h.rule.name == name and not h.saturating and not h.inside
            )
            assert_array_equal(one.codes(), values[node.name])


@pytest.mark.parametrize(
    ("value", "distance"),
    [
        (Fraction(1, 2), 0),
        (Fraction(-3, 2), 0),
        (Fraction(2), Fraction(1, 2)),
        (Fraction(-1, 4), Fraction(1, 4)),
    ],
)
def test_distance_from_a_tie(value: Fraction, distance: Fraction) -> None:
    """Both sides of zero."""
    assert distance_from_tie(value) == distance
