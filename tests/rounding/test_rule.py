"""Constants check their own dtypes and lengths."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref.errors import DTypeError, ShapeError
from kdq_ref.rounding import Constants, single_rounding


def test_constants_of_different_lengths_are_refused() -> None:
    """All three arrays describe the same channels."""
    with pytest.raises(ShapeError, match="exponent"):
        Constants(np.zeros(2, np.int32), np.zeros(3, np.int32), np.zeros(2, np.float32))


def test_constants_of_a_wrong_dtype_are_refused() -> None:
    """An int64 multiplier is not silently narrowed."""
    with pytest.raises(DTypeError, match="multiplier must have dtype int32"):
        Constants(np.zeros(2, np.int64), np.zeros(2, np.int32), np.zeros(2, np.float32))


def test_rule_says_its_name() -> None:
    """The name is what a reader sees in a report."""
    assert repr(single_rounding) == "<rounding rule single_rounding>"
