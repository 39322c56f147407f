"""Operand checks shared by the specification, the kernels and the graph."""

from __future__ import annotations

from typing import Any

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


@pytest.mark.parametrize(
    "changes",
    [{"kernel": 2}, {"kernel": (2, 2, 2)}, {"stride": 2}, {"padding": 1}, {"padding": (0, 0)}],
)
def test_windows_are_pairs(changes: dict) -> None:
    """A lone number, or too many, is a typed error before it is unpacked."""
    window = {"kernel": (2, 2), "stride": (1, 1), "padding": (0, 0, 0, 0), **changes}
    with pytest.raises(ShapeError, match="must be"):
        operands.max_pool2d_shape((4, 4, 1), **window)
    with pytest.raises(ShapeError, match="must be"):
        operands.avg_pool2d_shape((4, 4, 1), x_zero_point=0, channels=1, **window)


def test_padding_is_bounded_like_images() -> None:
    """A large stride makes the output small again, but the padded image must fit into memory."""
    side = 2**14 - 4
    assert _conv(padding=(side, 0, side, 0), stride=(2**14, 2**14))
    with pytest.raises(ShapeError, match="padded by"):
        _conv(padding=(side, side, side, side), stride=(2**14, 2**14))
    with pytest.raises(RangeError, match="stride"):
        _conv(stride=(2**31, 1))


def test_a_scale_is_a_number_and_becomes_pythons() -> None:
    """JSON knows Python's float only; text is a typed error."""
    assert type(operands.check_scale(np.float32(0.1))) is float
    for bad in ("0.1", None):
        with pytest.raises(DTypeError, match="scale must be a number"):
            operands.check_scale(bad)


def test_16x8_products_stay_inside_48_bits() -> None:
    """The largest bias and the longest product, together; one more of either is refused."""
    assert operands.MAX_BIAS_16X8 + operands.MAX_K * 2**22 < operands.ACC_LIMIT_16X8
    weight, bias = np.zeros((3, 2), np.int8), np.full(2, operands.MAX_BIAS_16X8)
    assert operands.dense_16x8_shape((3,), weight, bias, channels=1) == (2,)
    assert operands.dense_16x8_shape((3,), weight, -bias, channels=2) == (2,)
    for wrong in (bias + 1, -bias - 1):
        with pytest.raises(RangeError, match="bias must be in"):
            operands.dense_16x8_shape((3,), weight, wrong, channels=2)
    longer = np.zeros((operands.MAX_K + 1, 2), np.int8)
    with pytest.raises(ShapeError, match="131072"):
        operands.dense_16x8_shape((len(longer),), longer, bias, channels=2)
    with pytest.raises(ShapeError, match="channels"):
        operands.dense_16x8_shape((3,), weight, bias, channels=3)


def test_16x8_accumulators_have_48_bits() -> None:
    """Both ends are kept as they are; one step beyond, and other dtypes, are refused."""
    ends = np.array([-operands.ACC_LIMIT_16X8, operands.ACC_LIMIT_16X8 - 1])
    assert operands.check_acc_16x8(ends) is ends
    assert operands.check_acc_16x8(ends[:0]).size == 0
    for wrong in (ends - 1, ends + 1):
        with pytest.raises(RangeError, match="accumulator"):
            operands.check_acc_16x8(wrong)
    with pytest.raises(DTypeError):
        operands.check_acc_16x8(ends.astype(np.float64))


@pytest.mark.parametrize(
    ("channels", "window"),
    [
        (130, {"groups": np.uint8(2)}),
        (4, {"stride": (np.int64(1), 1)}),
        (4, {"padding": (np.uint8(1), 0, 0, 0)}),
    ],
)
def test_numpy_integers_are_refused_where_they_might_wrap(
    channels: int, window: dict[str, Any]
) -> None:
    """130 * np.uint8(2) is 4: as many channels as the image has, and memory beyond it read."""
    weight, bias = np.zeros((1, 1, channels, 2), np.int8), np.zeros(2, np.int32)
    with pytest.raises(DTypeError, match="Python's int"):
        operands.conv2d_shape((2, 2, 4), weight, bias, x_zero_point=0, channels=1, **window)
