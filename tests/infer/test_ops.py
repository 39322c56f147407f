"""Operators follow the naming convention that everything is called through."""

from __future__ import annotations

import inspect
from dataclasses import fields

import numpy as np
import pytest
from strategies.int_networks import residual_network

from kdq_ref import intref, kernels, operands
from kdq_ref.infer.ops import OPS, Op


@pytest.mark.parametrize("op", OPS.values(), ids=OPS.keys())
def test_fields_are_the_keywords_of_the_specification(op: type[Op]) -> None:
    """kind names a function of intref, of operands and of the plan builder, with these keywords."""
    names = {field.name for field in fields(op)}
    for function in (getattr(intref, op.kind), getattr(kernels.PlanBuilder, op.kind)):
        parameters = list(inspect.signature(function).parameters)
        inputs = [p for p in parameters if p not in names and p != "self"]
        assert len(inputs) == op.arity
        assert names <= set(parameters)
    shape = set(inspect.signature(getattr(operands, f"{op.kind}_shape")).parameters)
    assert {"channels" if name == "requant" else name for name in names} <= shape


def test_macs_count_every_weight_once_per_position() -> None:
    """A convolution, a depthwise one, and an operator without weights."""
    ops = {node.name: node.op for node in residual_network(0).nodes}
    assert ops["conv"].macs((6, 5, 3)) == 30 * 27 * 4
    assert ops["depthwise"].macs((6, 5, 4)) == 15 * 6 * 8
    assert ops["max"].macs((3, 5, 8)) == 0


def test_weight_bytes_count_arrays_alone() -> None:
    """int8 weights and tables, int32 biases; constants of rounding are no weights."""
    graph = residual_network(0)
    ops = {node.name: node.op for node in graph.nodes}
    assert ops["conv"].weight_bytes() == 3 * 3 * 3 * 4 + 4 * 4
    assert ops["table"].weight_bytes() == 256
    assert ops["average"].weight_bytes() == ops["flat"].weight_bytes() == 0
    assert graph.weight_bytes() == sum(op.weight_bytes() for op in ops.values())


def test_numpy_numbers_become_pythons() -> None:
    """Narrow ones wrap around in sums of sizes, and JSON knows none."""
    op = OPS["max_pool2d"](kernel=(np.int8(100), 2), stride=(np.int64(1), 1))
    assert [type(v) for v in (*op.kernel, *op.stride)] == [int] * 4
    assert op.output_shape((120, 2, 1)) == (21, 1, 1)
