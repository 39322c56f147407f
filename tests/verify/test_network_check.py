"""Networks from files: what no dialect could compute is refused, by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from strategies.dialects import dense_network

from kdq_ref.errors import DTypeError, GraphError, KdqError, NotFiniteError, RangeError, ShapeError
from kdq_ref.verify.network import Encoding, Network, Node, Weight, value_shapes
from kdq_ref.verify.network_check import check_inputs, check_network
from kdq_ref.verify.samples import OPERATORS, generate

INT8 = Encoding("int8")


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_sample_passes(operator: str) -> None:
    """Whatever is drawn for the runtimes, in every style."""
    stream = generate(operator, seed=3, outputs=40)
    for _ in range(12):
        sample = next(stream)
        assert check_network(sample.network) == value_shapes(sample.network)
        check_inputs(sample.network, sample.inputs)


@pytest.mark.parametrize(
    ("encoding", "error"),
    [
        (Encoding("int32"), DTypeError),
        (Encoding("int8", 0.0), RangeError),
        (Encoding("int8", -1.0), RangeError),
        (Encoding("int8", float("nan")), RangeError),
        (Encoding("int8", 0.1), RangeError),
        (Encoding("int8", 1e-320), RangeError),
        (Encoding("int8", "1"), DTypeError),
        (Encoding("int8", 1.0, 128), RangeError),
        (Encoding("uint8", 1.0, -1), RangeError),
        (Encoding("int8", 1.0, 0.5), DTypeError),
        (Encoding("float32", 2.0), RangeError),
    ],
)
def test_encodings(encoding: Any, error: type[KdqError]) -> None:
    """A scale is a positive float32, a zero point is a code."""
    with pytest.raises(error, match="'x'"):
        check_network(_pool(INT8, encoding))


def _pool(output: Encoding, source: Encoding = INT8, **fields: Any) -> Network:
    node = Node("y", "max_pool2d", ("x",), output, **{"kernel": (2, 2), **fields})
    return Network({"x": source}, {"x": (4, 4, 1)}, (node,), "y")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"kernel": (0, 2)}, RangeError),
        ({"kernel": (2,)}, ShapeError),
        ({"kernel": ("2", 2)}, DTypeError),
        ({"kernel": (9, 9)}, ShapeError),
        ({"stride": (0, 1)}, RangeError),
        ({"stride": (1, 1.5)}, DTypeError),
        ({"dilation": (1, True)}, DTypeError),
        ({"padding": (1, 1)}, ShapeError),
        ({"padding": (-1, 0, 0, 0)}, RangeError),
        ({"padding": (2, 0, 0, 0)}, ShapeError),
        ({"groups": 0}, RangeError),
        ({"clamp": (1.0, 0.0)}, RangeError),
        ({"clamp": (float("nan"), 0.0)}, RangeError),
        ({"clamp": (0.0, 1e300)}, RangeError),
        ({"clamp": ("0", 1.0)}, DTypeError),
        ({"bias": np.zeros(1, np.int32)}, GraphError),
        ({"inputs": ("x", "x")}, GraphError),
        ({"operator": "dense"}, GraphError),
        ({"operator": "clip"}, GraphError),
        ({"operator": "quantize"}, DTypeError),
        ({"operator": "dequantize"}, DTypeError),
        ({"output": Encoding("uint8")}, DTypeError),
    ],
)
def test_nodes(fields: dict[str, Any], error: type[KdqError]) -> None:
    """Geometry, bounds, operands and storage of one node."""
    good = _pool(INT8)
    check_network(good)
    with pytest.raises(error, match=r"node 'y'|does not fit"):
        check_network(replace(good, nodes=(replace(good.nodes[0], **fields),)))


@pytest.mark.parametrize(
    ("codes", "scales", "bias", "error"),
    [
        (np.ones((3, 2), np.int16), np.ones(1, np.float32), None, DTypeError),
        (np.ones((4, 2), np.int8), np.ones(1, np.float32), None, ShapeError),
        (np.ones((3, 2, 1), np.int8), np.ones(1, np.float32), None, ShapeError),
        (np.ones((3, 0), np.int8), np.ones(1, np.float32), None, ShapeError),
        (np.ones((3, 2), np.int8), np.ones(3, np.float32), None, ShapeError),
        (np.ones((3, 2), np.int8), np.ones(1), None, DTypeError),
        (np.ones((3, 2), np.int8), np.zeros(2, np.float32), None, RangeError),
        (np.ones((3, 2), np.int8), np.full(2, np.nan, np.float32), None, RangeError),
        (np.ones((3, 2), np.int8), np.ones(1, np.float32), np.zeros(3, np.int32), ShapeError),
        (np.ones((3, 2), np.int8), np.ones(1, np.float32), np.zeros(2, np.int64), DTypeError),
    ],
)
def test_weights(
    codes: np.ndarray, scales: np.ndarray, bias: np.ndarray | None, error: type[KdqError]
) -> None:
    """Codes that fit the samples, scales and biases that fit the codes."""
    good = dense_network(np.ones((3, 2)))
    check_network(good)
    node = replace(good.nodes[0], weight=Weight(codes, scales), bias=bias)
    with pytest.raises(error):
        check_network(replace(good, nodes=(node,)))


@pytest.mark.parametrize(
    ("shapes", "operator"),
    [
        ({"a": (2,), "b": (3,)}, "add"),
        ({"a": (2, 2, 1), "b": (2, 3, 1)}, "concat"),
        ({"a": (2, 0, 1), "b": (2, 0, 1)}, "mul"),
        ({"a": (2, 2), "b": (2, 2)}, "mul"),
        ({"a": (2,)}, "add"),
    ],
)
def test_shapes(shapes: dict[str, tuple[int, ...]], operator: str) -> None:
    """Of inputs, and of those that are combined."""
    node = Node("y", operator, ("a", "b"), INT8)
    with pytest.raises(KdqError):
        check_network(Network({"a": INT8, "b": INT8}, shapes, (node,), "y"))


@pytest.mark.parametrize(
    ("x", "error"),
    [
        (np.zeros((0, 3), np.int8), ShapeError),
        (np.zeros((), np.int8), ShapeError),
        (np.zeros((1, 2), np.int8), ShapeError),
        (np.zeros((1, 3), np.uint8), DTypeError),
    ],
)
def test_inputs(x: np.ndarray, error: type[KdqError]) -> None:
    """A batch of samples in the encoding's dtype; reals are finite."""
    with pytest.raises(error):
        check_inputs(dense_network(np.ones((3, 1))), {"x": x})
    node = Node("y", "quantize", ("x",), INT8)
    network = Network({"x": Encoding("float32")}, {"x": (1,)}, (node,), "y")
    with pytest.raises(NotFiniteError):
        check_inputs(network, {"x": np.full((1, 1), np.nan, np.float32)})
