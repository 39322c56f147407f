"""Nodes with scales as operators of our own."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import dense_network

from kdq_ref import infer
from kdq_ref.errors import UnsupportedError
from kdq_ref.rounding import double_rounding
from kdq_ref.verify.network import Encoding, Network, Node
from kdq_ref.verify.own_operators import own_operator

_ENCODING = Encoding("int8", 0.5, 3)


def _lowered(operator: str, *, output: Encoding = _ENCODING, **fields: object) -> infer.Op:
    node = Node("y", operator, ("x",), output, **fields)  # type: ignore[arg-type]
    return own_operator(Network({"x": _ENCODING}, {"x": (4, 4, 2)}, (node,), "y"), node)


def test_a_dense_layer_gets_its_bias_clamp_and_rule() -> None:
    """No bias is zeros; ReLU6 of scale 0.5 and zero point 3 ends at 15."""
    network = dense_network([[1, 2]], output=_ENCODING, clamp=(0.0, 6.0))
    op = own_operator(network, network.nodes[0], double_rounding)
    assert isinstance(op, infer.Dense)
    assert op.bias.tolist() == [0, 0]
    assert (op.requant.qmin, op.requant.qmax, op.requant.zero_point) == (3, 15, 3)
    assert op.requant.rule is double_rounding


def test_a_table_is_the_function_itself() -> None:
    """tanh of every code, quantized."""
    op = _lowered("tanh", output=Encoding("int8", 1 / 128, 0))
    assert isinstance(op, infer.Lookup)
    reals = 0.5 * (np.arange(-128, 128) - 3)
    np.testing.assert_array_equal(op.table, np.clip(np.rint(np.tanh(reals) * 128), -128, 127))


def test_averages_divide_in_the_multiplier() -> None:
    """By the window, or by the whole image."""
    for op, size in (
        (_lowered("avg_pool2d", kernel=(2, 4)), 8),
        (_lowered("global_avg_pool"), 16),
    ):
        constants = op.keywords()["requant"].constants
        assert constants.multiplier[0] * 2.0 ** (int(constants.exponent[0]) - 31) == 1 / size


@pytest.mark.parametrize(
    ("operator", "fields", "message"),
    [
        ("mul", {}, "no integer operator mul"),
        ("max_pool2d", {"output": Encoding("int8", 1.0, 0)}, "only moves codes"),
        ("flatten", {"clamp": (0.0, 1.0)}, "only moves codes"),
        ("avg_pool2d", {"kernel": (3, 3), "padding": (1, 1, 1, 1)}, "counts padding as zero"),
    ],
)
def test_what_we_do_not_have_is_refused(operator: str, fields: dict, message: str) -> None:
    """By name, with the reason."""
    with pytest.raises(UnsupportedError, match=message):
        _lowered(operator, **fields)
