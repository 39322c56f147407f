"""Which accumulators and codes a network can reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies.int_networks import residual_network, scaled_network

from kdq_ref import infer
from kdq_ref.infer.ops import AvgPool2d
from kdq_ref.rounding import RULES, Constants, Requant
from kdq_ref.verify.proofs.reach import FLOAT32_EXACT, code_interval, inexact_in_float32, reach


def _values(graph: infer.IntGraph, x: np.ndarray) -> dict[str, np.ndarray]:
    values = {"input": x}
    for node in graph.nodes:
        values[node.name] = node.op.apply(*(values[name] for name in node.inputs))
    return values


def _batch(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Random codes, and inputs of extremes only."""
    rng = np.random.default_rng(seed)
    mixed = rng.integers(-128, 128, (4, *shape)).astype(np.int8)
    ends = rng.choice(np.array([-128, 127], np.int8), (4, *shape))
    flat = np.stack([np.full(shape, code, np.int8) for code in (-128, 127)])
    return np.concatenate([mixed, ends, flat])


@given(st.integers(0, 2**32), st.sampled_from(sorted(RULES)), st.booleans())
def test_no_input_leaves_the_intervals(seed: int, rule: str, scaled: bool) -> None:
    """Every code of every value is inside, and so is what the specification requantizes."""
    if RULES[rule].keeps_bias_real:
        scaled = False
    graph = (scaled_network if scaled else residual_network)(seed, rule)
    found = reach(graph)
    for name, codes in _values(graph, _batch(seed, graph.input_shape)).items():
        low, high = found.codes[name].T
        assert (low <= codes).all()
        assert (codes <= high).all()
    for name, interval in found.accumulators.items():
        assert (interval[:, 0] <= interval[:, 1]).all()
        if name in graph.bounds:
            # Never wider than what the graph proves for any codes at all.
            assert (graph.bounds[name][:, 0] <= interval[:, 0]).all()
            assert (interval[:, 1] <= graph.bounds[name][:, 1]).all()


_WIDE = Requant(RULES["single_rounding"], RULES["single_rounding"].constants(1.0, 2.0**-20, 1.0), 0)


def _dense(weight: list[list[int]], bias: list[int], requant: Requant) -> infer.IntGraph:
    op = infer.Dense(np.array(weight, np.int8), np.array(bias, np.int32), -128, requant)
    node = infer.IntNode("y", op, ("input",), 1.0, requant.zero_point)
    return infer.IntGraph((len(weight),), 1.0, -128, (node,), "y", requant.rule)


def test_the_ends_of_a_dense_layer_are_reached() -> None:
    """By hand: codes from 0 to 255 steps, weights 2 and -3, bias 7."""
    graph = _dense([[2], [-3]], [7], _WIDE)
    assert_array_equal(reach(graph).accumulators["y"], [[7 - 3 * 255, 7 + 2 * 255]])


def test_a_clamp_narrows_what_follows() -> None:
    """Codes of [-100, -90] only: ten steps, not 255."""
    narrow = Requant(_WIDE.rule, _WIDE.constants, -100, -100, -90)
    graph = _dense([[2], [-3]], [7], replace(narrow))
    after = infer.Dense(np.array([[5]], np.int8), np.zeros(1, np.int32), -100, _WIDE)
    wide = _WIDE.rule.constants(1.0, 1.0, 1.0)
    first = replace(
        graph.nodes[0], op=replace(graph.nodes[0].op, requant=replace(narrow, constants=wide))
    )
    nodes = (first, infer.IntNode("z", after, ("y",), 1.0, 0))
    found = reach(replace(graph, nodes=nodes, output="z"))
    assert_array_equal(found.codes["y"], [[-100, -90]])
    assert_array_equal(found.accumulators["z"], [[0, 50]])


def test_windows_at_the_border_reach_less_far() -> None:
    """Codes above the zero point only: a padded window may have a single term."""
    shift = infer.Lookup(np.full(256, 10, np.int8))
    pool = AvgPool2d((2, 2), (1, 1), (1, 0, 1, 0), 4, _WIDE)
    nodes = (
        infer.IntNode("ten", shift, ("input",), 1.0, 4),
        infer.IntNode("mean", pool, ("ten",), 1.0, 0),
    )
    graph = infer.IntGraph((3, 3, 1), 1.0, 0, nodes, "mean", _WIDE.rule)
    assert_array_equal(reach(graph).accumulators["mean"], [[6, 24]])


@pytest.mark.parametrize(("bound", "listed"), [(FLOAT32_EXACT, []), (FLOAT32_EXACT + 1, [1])])
def test_where_float32_loses_exactness(bound: int, listed: list[int]) -> None:
    """2**24 is still held, on either side of zero."""
    for sign in (1, -1):
        ends = np.array([[0, 5], sorted([0, sign * bound])])
        assert inexact_in_float32(ends).tolist() == listed


def test_a_rule_that_overflows_tells_its_clamp_only() -> None:
    """fbgemm turns what does not fit int32 into INT32_MIN: large accumulators, small codes."""
    rule = RULES["fbgemm"]
    one = np.ones(1, np.int32)
    constants = Constants(0 * one, 0 * one, np.full(1, 1e6, np.float32))
    requant = Requant(rule, constants, 0, -5, 9)
    assert_array_equal(code_interval(requant, np.array([[10, 10_000]])), [[-5, 9]])
    assert requant.apply(np.array([10_000])).item() == -5
