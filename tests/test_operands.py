"""Operand checks shared by the specification, the kernels and the graph."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref import operands
from kdq_ref.errors import DTypeError, RangeError, ShapeError


def _conv(**changes):
    arguments = {
        "shape": (4, 4, 2),
        "weight": np.zeros((3, 3, 2, 5), np.int8),
        "bias": np.zeros(5, np.int32),
        "x_zero_point": 0,
        "channels": 5,
        **changes,
    }
    return operands.conv2d_shape(**arguments)


def test_conv2d_shapes() -> None:
    """Valid, padded, strided, dilated; one set of constants for all channels."""
    assert _conv() == (2, 2, 5)
    assert _conv(padding=(1, 1, 1, 1), channels=1) == (4, 4, 5)
    assert _conv(padding=(1, 1, 0, 1), stride=(2, 1)) == (2, 3, 5)
    assert _conv(padding=(1, 1, 1, 1), dilation=(2, 2)) == (2, 2, 5)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"shape": (4, 4)}, ShapeError),
        ({"shape": (2, 4, 2)}, ShapeError),
        ({"channels": 2}, ShapeError),
        ({"groups": 0}, RangeError),
        ({"stride": (0, 1)}, RangeError),
        ({"stride": (1.0, 1)}, DTypeError),
        ({"dilation": (1, 0)}, RangeError),
        ({"padding": (1, 1)}, ShapeError),
        ({"padding": (0, 0, 0, -1)}, RangeError),
        ({"weight": np.zeros((3, 3, 2, 5), np.uint8)}, DTypeError),
        ({"weight": np.zeros((0, 3, 2, 5), np.int8)}, RangeError),
        ({"weight": np.zeros((300, 300, 2, 5), np.int8)}, ShapeError),
    ],
)
def test_conv2d_refuses(changes: dict, error: type) -> None:
    """Every geometry that has no meaning, before anything is computed."""
    with pytest.raises(error):
        _conv(**changes)


def test_averages_have_one_set_of_constants_and_bounded_windows() -> None:
    """A sum of 2**23 centred codes is the most that int32 is promised to hold."""
    assert 255 * operands.MAX_WINDOW < 2**31
    assert operands.global_avg_pool_shape((2, 3, 4), x_zero_point=0, channels=1) == (4,)
    with pytest.raises(ShapeError, match="channels"):
        operands.global_avg_pool_shape((2, 3, 4), x_zero_point=0, channels=4)
    with pytest.raises(RangeError, match="image area"):
        operands.global_avg_pool_shape((2**12, 2**11, 4), x_zero_point=0, channels=1)


def test_flatten_and_scale() -> None:
    """Products of shapes; scales are normal float32 numbers."""
    assert operands.flatten_shape((2, 3, 4)) == (24,)
    assert operands.flatten_shape(()) == (1,)
    tiny = float(np.finfo(np.float32).tiny)
    assert operands.check_scale(tiny) == tiny
    for bad in (0.0, tiny / 2, float("nan"), float("inf"), 1e39):
        with pytest.raises(RangeError):
            operands.check_scale(bad)
