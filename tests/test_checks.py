"""Checks return what is right and name what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref import checks
from kdq_ref.errors import DTypeError, NotFiniteError, RangeError, ShapeError


def test_arrays_pass_through_uncopied() -> None:
    """A good array is returned itself; a list becomes an array."""
    x = np.zeros((2, 3), np.int8)
    assert checks.check_array("x", x, dtype=np.int8, ndim=2, shape=(None, 3)) is x
    assert checks.check_array("x", [1, 2], ndim=1).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"dtype": np.int32}, DTypeError, "x must have dtype int32, got int8"),
        ({"dtype": (np.int32, np.float32)}, DTypeError, "int32 or float32"),
        ({"ndim": 3}, ShapeError, "3 axes"),
        ({"shape": (2, 4)}, ShapeError, r"\(2, 4\), got \(2, 3\)"),
        ({"shape": (None,)}, ShapeError, r"\(any\)"),
    ],
)
def test_arrays_that_do_not_fit(keywords: dict, error: type, message: str) -> None:
    """dtype, rank and shape are each named."""
    with pytest.raises(error, match=message):
        checks.check_array("x", np.zeros((2, 3), np.int8), **keywords)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_finiteness_names_the_first_culprit(bad: float) -> None:
    """Index and value of the first, and how many; huge finite values are fine."""
    huge = np.full(4, np.finfo(np.float32).max, np.float32)
    assert checks.check_finite("x", huge) is huge
    assert checks.check_finite("x", huge[:0]).size == 0
    with pytest.raises(NotFiniteError, match=r"2 element\(s\).*index \(1, 0\)"):
        checks.check_finite("x", np.array([[1, 2], [bad, bad]]))


def test_integers_are_integers() -> None:
    """NumPy integers count; booleans, floats and text do not; ends are inclusive."""
    assert checks.check_int("n", np.int16(3), 3, 3) == 3
    assert checks.check_positive_int("n", 1) == 1
    for bad in (True, np.True_, 1.0, "1", None):
        with pytest.raises(DTypeError, match="n must be an integer"):
            checks.check_int("n", bad)
    for bad in (2, 4):
        with pytest.raises(RangeError, match=r"\[3, 3\]"):
            checks.check_int("n", bad, 3, 3)
    with pytest.raises(RangeError, match=r"\[1, inf\]"):
        checks.check_positive_int("n", 0)


def test_nan_is_in_no_range() -> None:
    """Comparisons with NaN are false, and the check knows."""
    with pytest.raises(RangeError):
        checks.check_in_range("x", float("nan"), 0.0, 1.0)


def test_labels() -> None:
    """Any integer dtype becomes int64; the first bad label is named."""
    labels = checks.check_labels("y", np.array([0, 9], np.uint8), 10)
    assert labels.dtype == np.int64
    assert checks.check_labels("y", np.zeros(0, np.int32), 10).size == 0
    with pytest.raises(RangeError, match="element 1 is 10"):
        checks.check_labels("y", np.array([0, 10, -1]), 10)
    with pytest.raises(RangeError, match="element 0 is -1"):
        checks.check_labels("y", np.array([-1, 3]), 10)
    with pytest.raises(DTypeError):
        checks.check_labels("y", np.array([0.0]), 10)
    with pytest.raises(ShapeError):
        checks.check_labels("y", np.zeros((2, 2), np.int64), 10)


def test_what_is_no_number_or_array_is_a_typed_error() -> None:
    """Text has no order, ragged lists no shape, and a foreign byte order is called by its name."""
    for bad in ("x", None, [1]):
        with pytest.raises(DTypeError, match="lr must be a number"):
            checks.check_in_range("lr", bad, 0.0, 1.0)
    with pytest.raises(ShapeError, match="x is not an array"):
        checks.check_array("x", [[1.0], [1.0, 2.0]], ndim=2)
    swapped = np.zeros(2, np.dtype(np.float32).newbyteorder())
    with pytest.raises(DTypeError, match=r"float32, got [<>]f4"):
        checks.check_array("x", swapped, dtype=np.float32)
