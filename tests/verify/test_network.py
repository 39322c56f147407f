"""Networks with scales and no rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.dialects import dense_network

from kdq_ref.errors import GraphError
from kdq_ref.verify.network import (
    Encoding,
    Network,
    Node,
    code_bounds,
    real_bounds,
    store,
    value_shapes,
)

_ENCODING = Encoding("int8", 0.5, 3)


def _network(*nodes: Node, output: str = "y", shape: tuple[int, ...] = (5, 7, 2)) -> Network:
    return Network({"x": _ENCODING}, {"x": shape}, nodes, output)


@pytest.mark.parametrize(
    ("nodes", "output", "message"),
    [
        ((Node("y", "gelu", ("x",), _ENCODING),), "y", "unknown operator 'gelu'"),
        ((Node("y", "relu", ("z",), _ENCODING),), "y", "reads 'z', which comes later"),
        ((Node("x", "relu", ("x",), _ENCODING),), "x", "two values are called 'x'"),
        ((Node("y", "relu", ("x",), _ENCODING),), "z", "output 'z' is not a value"),
    ],
)
def test_impossible_networks(nodes: tuple[Node, ...], output: str, message: str) -> None:
    """Unknown operators, cycles, duplicates and missing outputs are refused, by name."""
    with pytest.raises(GraphError, match=message):
        _network(*nodes, output=output)


@given(st.integers(-128, 127), st.integers(-128, 127))
def test_storage_keeps_reals(zero_point: int, code: int) -> None:
    """A code and its zero point move together: the real number stays."""
    signed = _network(Node("y", "relu", ("x",), Encoding("int8", 0.25, zero_point)))
    unsigned = signed.stored_as("uint8")
    moved = store(np.array([code], np.int8), "uint8")
    assert moved.dtype == np.uint8
    encoding = unsigned.encodings["y"]
    assert (int(moved[0]) - encoding.zero_point) == code - zero_point
    assert encoding.scale == 0.25
    assert store(moved, "int8")[0] == code
    assert unsigned.stored_as("int8").encodings == signed.encodings


def test_reals_have_no_storage() -> None:
    """float32 values and codes stay as they are."""
    values = np.array([1.5, -2.0], np.float32)
    assert store(values, "uint8") is values
    network = Network({"x": Encoding("float32")}, {"x": (2,)}, (), "x")
    assert network.stored_as("uint8").encodings == network.encodings


def test_shapes_of_every_operator() -> None:
    """Windows shrink, concatenation adds, averages drop the image, the rest keep the shape."""
    nodes = (
        Node("pool", "max_pool2d", ("x",), _ENCODING, kernel=(2, 3), stride=(2, 1)),
        Node("both", "concat", ("pool", "pool"), _ENCODING),
        Node("same", "hard_swish", ("both",), _ENCODING),
        Node("flat", "flatten", ("same",), _ENCODING),
        Node("mean", "global_avg_pool", ("same",), _ENCODING),
    )
    shapes = value_shapes(_network(*nodes, output="mean"))
    assert shapes == {
        "x": (5, 7, 2),
        "pool": (2, 5, 2),
        "both": (2, 5, 4),
        "same": (2, 5, 4),
        "flat": (40,),
        "mean": (4,),
    }
    assert value_shapes(dense_network(np.zeros((3, 5), np.int8)))["y"] == (5,)
    with pytest.raises(GraphError, match="has no weight"):
        value_shapes(_network(Node("y", "conv2d", ("x",), _ENCODING)))


def test_code_bounds_round_half_to_even_and_stay_inside() -> None:
    """6 / 0.5 + 3 = 15; 1.25 / 0.5 = 2.5 rounds to 2; infinity is the largest code."""
    assert code_bounds(_ENCODING, (0.0, 6.0)) == (3, 15)
    assert code_bounds(_ENCODING, (1.25, float("inf"))) == (5, 127)
    assert code_bounds(Encoding("uint8", 1e-30, 255), (-1e30, 1e30)) == (0, 255)


def test_real_bounds() -> None:
    """relu and relu6 bring theirs; a clip has to be given some."""
    assert real_bounds(Node("y", "relu", ("x",), _ENCODING)) == (0.0, float("inf"))
    assert real_bounds(Node("y", "relu6", ("x",), _ENCODING)) == (0.0, 6.0)
    assert real_bounds(Node("y", "clip", ("x",), _ENCODING, clamp=(-1.0, 2.0))) == (-1.0, 2.0)
    with pytest.raises(GraphError, match="clip without bounds"):
        real_bounds(Node("y", "clip", ("x",), _ENCODING))
