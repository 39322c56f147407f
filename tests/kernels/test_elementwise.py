"""Addition, look-up tables, flatten and argmax in C equal the specification."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.integer import add_problems, codes

from kdq_ref import intref, kernels
from kdq_ref.errors import RangeError, ShapeError
from kdq_ref.rounding import Requant, single_rounding

pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)


@given(add_problems())
def test_add_equals_the_specification(
    problem: tuple[np.ndarray, np.ndarray, dict[str, Any]],
) -> None:
    """Every multiplier and zero point, across the block of 256 elements."""
    a, b, keywords = problem
    np.testing.assert_array_equal(kernels.add(a, b, **keywords), intref.add(a, b, **keywords))


def test_add_checks_its_operands() -> None:
    """Shapes must agree, and a multiplier above 2**20 could overflow."""
    a = np.zeros((2, 3), np.int8)
    keywords: dict[str, Any] = {
        "a_zero_point": 0,
        "b_zero_point": 0,
        "a_multiplier": 1,
        "b_multiplier": 2**20 + 1,
        "requant": Requant(single_rounding, single_rounding.constants(1.0, 0.5, 1.0), 0),
    }
    with pytest.raises(RangeError, match="b_multiplier"):
        kernels.add(a, a, **keywords)
    with pytest.raises(ShapeError, match="equal shapes"):
        kernels.add(a, a[:1], **keywords)


@given(codes((3, 50)), codes((256,)))
def test_lookup_equals_the_specification(x: np.ndarray, table: np.ndarray) -> None:
    """Every code finds its entry, -128 the first."""
    np.testing.assert_array_equal(kernels.lookup(x, table), intref.lookup(x, table))
    every = np.arange(-128, 128).astype(np.int8)
    np.testing.assert_array_equal(kernels.lookup(every, table), table)


def test_flatten_is_row_major() -> None:
    """The same order as the specification, from any memory layout."""
    x = np.asfortranarray(np.arange(24).reshape(2, 3, 2, 2).astype(np.int8))
    np.testing.assert_array_equal(kernels.flatten(x), intref.flatten(x))


@given(st.integers(0, 4), st.sampled_from([1, 2, 10, 100]), st.data())
def test_argmax_takes_the_first_of_equals(rows: int, columns: int, data: st.DataObject) -> None:
    """Ties are common here: half the draws hold one to four different values."""
    q = data.draw(codes((rows, columns)))
    index = kernels.argmax(q)
    assert index.dtype == np.int64
    np.testing.assert_array_equal(index, intref.argmax(q))


def test_argmax_needs_a_class() -> None:
    """The largest of nothing is not defined."""
    with pytest.raises(ShapeError, match="no classes"):
        kernels.argmax(np.zeros((2, 0), np.int8))
