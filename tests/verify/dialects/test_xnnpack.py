"""XNNPACK's operators as LiteRT sets them up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from strategies.dialects import dense_network

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialects import xnnpack
from kdq_ref.verify.network import Encoding, Network, Node

_ONE = Encoding("int8", 1.0, 0)


def _binary(operator: str, a: Encoding, b: Encoding, end: Encoding) -> Network:
    node = Node("y", operator, ("a", "b"), end)
    return Network({"a": a, "b": b}, {"a": (1,), "b": (1,)}, (node,), "y")


def _run(kernel: Any, network: Network, *codes: list[int]) -> list[int]:
    inputs = tuple(np.array([row], np.int8) for row in codes)
    return kernel(network, network.nodes[0], inputs).ravel().tolist()


def test_clamps_are_rounded_with_the_zero_point() -> None:
    """6 / 4 + 1 is 2.5, to even 2; TensorFlow Lite's own kernels make it 3."""
    assert xnnpack.limits(Encoding("int8", 4.0, 1), (0.0, 6.0)) == (1, 2)
    assert xnnpack.limits(Encoding("int8", 4.0, 0), (0.0, 6.0)) == (0, 2)
    assert xnnpack.limits(_ONE, (0.0, float("inf"))) == (0, 127)
    assert xnnpack.limits(_ONE, None) == (-128, 127)


def test_accumulators_round_half_to_even_before_the_zero_point() -> None:
    """1, 3, 5 halved are 0, 2, 2, at any zero point."""
    for zero_point in (0, 1):
        network = dense_network([[1]], scale=0.5, output=Encoding("int8", 1.0, zero_point))
        results = [_run(xnnpack.affine, network, [code])[0] - zero_point for code in (1, 3, 5)]
        assert results == [0, 2, 2]


def test_multipliers_from_256_on_are_refused() -> None:
    """And int16 is not XNNPACK's."""
    network = dense_network([[1]], output=Encoding("int8", 1 / 256, 0))
    with pytest.raises(UnsupportedError, match="multipliers below 256, not 256"):
        _run(xnnpack.affine, network, [1])
    assert xnnpack.takes_affine(network, network.nodes[0])
    wide = Encoding("int16", 1.0, 0)
    network = dense_network([[1]], source=wide, output=wide)
    assert not xnnpack.takes_affine(network, network.nodes[0])


def test_sums_round_half_up() -> None:
    """1 and -1 halved are 1 and 0; a multiplier has 21 bits."""
    network = _binary("add", _ONE, _ONE, Encoding("int8", 2.0, 0))
    assert _run(xnnpack.add, network, [1, -1, 3, -3], [0, 0, 0, 0]) == [1, 0, 2, -1]
    uneven = _binary("add", Encoding("int8", 1.5, 2), Encoding("int8", 0.25, -1), _ONE)
    assert _run(xnnpack.add, uneven, [4, 4], [7, 1]) == [5, 4]


@pytest.mark.parametrize(
    ("operator", "takes", "steps", "expected"),
    [
        ("add", xnnpack.takes_add, (2.0**-10, 2.0**-11, 255.0, 256.0), (1, 0, 1, 0)),
        ("mul", xnnpack.takes_mul, (2.0**-16, 2.0**-17, 255.0, 256.0), (1, 0, 1, 0)),
    ],
)
def test_the_delegate_takes_a_range_of_quotients(
    operator: str, takes: Any, steps: tuple[float, ...], expected: tuple[int, ...]
) -> None:
    """The lower end belongs to it, the upper does not."""
    for step, taken in zip(steps, expected, strict=True):
        network = _binary(operator, _ONE, _ONE, Encoding("int8", float(np.float32(1 / step)), 0))
        assert takes(network, network.nodes[0]) == bool(taken)


def test_products_round_half_to_even() -> None:
    """Of (a - z) * (b - z) in float32."""
    network = _binary("mul", Encoding("int8", 1.0, 1), _ONE, Encoding("int8", 2.0, 5))
    assert _run(xnnpack.mul, network, [2, 4, 6], [1, 1, 1]) == [5, 7, 7]


def test_a_value_times_itself_is_a_square_by_table() -> None:
    """1 / 2 + 1 is 1.5, to even 2; as a product it is 0 + 1."""
    source, end = Encoding("int8", 1.0, 0), Encoding("int8", 2.0, 1)
    network = _binary("mul", source, source, end)
    assert _run(xnnpack.square, network, [1, -3], [1, -3]) == [2, 6]
    assert _run(xnnpack.mul, network, [1, -3], [1, -3]) == [1, 5]


def test_a_change_of_encoding_has_eight_bits_behind_the_point() -> None:
    """s_x / s_y = 1.001 is 256 / 256; halves go up."""
    start, end = Encoding("int8", float(np.float32(1.001)), 0), _ONE
    codes = np.array([[-128, 127]], np.int8)
    assert xnnpack.requantized(codes, start, end).tolist() == [[-128, 127]]
    halves = np.array([[1, -1, 3, -3]], np.int8)
    assert xnnpack.requantized(halves, _ONE, Encoding("int8", 2.0, 0)).tolist() == [[1, 0, 2, -1]]
    assert xnnpack.takes_change(_ONE, Encoding("int8", 256.0, 0))
    assert not xnnpack.takes_change(_ONE, Encoding("int8", 512.0, 0))
    assert xnnpack.takes_change(Encoding("int8", 128.0, 0), _ONE)
    assert not xnnpack.takes_change(Encoding("int8", 129.0, 0), _ONE)


def test_reals_are_multiplied_by_the_reciprocal() -> None:
    """Half to even, and then the zero point; what is far away saturates."""
    end = Encoding("int8", 2.0, 1)
    values = np.array([1.0, 3.0, -1.0, 1e30, -1e30], np.float32)
    assert xnnpack.quantized(values, end).tolist() == [1, 3, 1, 127, -128]


def test_the_zero_point_of_a_mean_is_inside_the_rounding() -> None:
    """An average of one half goes to the even code: 0 + 0.5 to 0, 1 + 0.5 to 2."""
    for zero_point, expected in ((0, 0), (1, 2), (-1, 0)):
        node = Node("y", "global_avg_pool", ("x",), Encoding("int8", 1.0, zero_point))
        network = Network({"x": _ONE}, {"x": (2, 1, 1)}, (node,), "y")
        x = np.array([1, 0], np.int8).reshape(1, 2, 1, 1)
        assert xnnpack.global_avg_pool(network, node, (x,)).item() == expected


def test_the_zero_point_of_a_table_is_inside_the_rounding() -> None:
    """sigmoid(2**-7) is 128.5 steps of 1/256 as float32 goes: to the even code."""
    for zero_point, expected in ((-101, 28), (-100, 28)):
        node = Node("y", "sigmoid", ("x",), Encoding("int8", 1 / 256, zero_point))
        network = Network({"x": Encoding("int8", 2.0**-7, 0)}, {"x": (1,)}, (node,), "y")
        kernel = xnnpack.by_table(xnnpack.sigmoid)
        assert kernel(network, node, (np.array([[1]], np.int8),)).item() == expected


def test_sigmoid_saturates_without_a_warning() -> None:
    """0 and 1 far out."""
    values = xnnpack.sigmoid(np.array([-1e30, 0, 1e30], np.float32))
    np.testing.assert_allclose(values, [0, 0.5, 1], atol=1e-30)
