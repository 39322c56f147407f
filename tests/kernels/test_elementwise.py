"""Addition, look-up tables, flatten and argmax in C equal the specification."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.integer import THOROUGHLY, add_problems, codes

from kdq_ref import intref, kernels
from kdq_ref.errors import RangeError, ShapeError
from kdq_ref.rounding import Requant, single_rounding

ISAS = ["ref", *kernels.available_isas()]
pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)


@pytest.mark.parametrize("isa", ISAS)
@THOROUGHLY
@given(add_problems())
def test_add_equals_the_specification(
    isa: str, problem: tuple[np.ndarray, np.ndarray, dict[str, Any]]
) -> None:
    """Every multiplier and zero point, around the vectors and the block of 1024 elements."""
    a, b, keywords = problem
    np.testing.assert_array_equal(
        kernels.add(a, b, isa=isa, **keywords), intref.add(a, b, **keywords)
    )


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("codes", [(-128, -128), (-128, 127), (127, -128), (127, 127)])
def test_add_at_the_ends(isa: str, codes: tuple[int, int]) -> None:
    """The largest accumulators that there are: 255 * 2**20 twice, of either sign."""
    a, b = (np.full(37, code, np.int8) for code in codes)
    keywords: dict[str, Any] = {
        "a_zero_point": -128 if codes[0] > 0 else 127,
        "b_zero_point": -128 if codes[1] > 0 else 127,
        "a_multiplier": 2**20,
        "b_multiplier": 2**20,
        "requant": Requant(single_rounding, single_rounding.constants(1.0, 2.0**-22, 1.0), 0),
    }
    np.testing.assert_array_equal(
        kernels.add(a, b, isa=isa, **keywords), intref.add(a, b, **keywords)
    )


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


@pytest.mark.parametrize("isa", ISAS)
@given(st.sampled_from([0, 1, 5, 31, 32, 33, 63, 64, 65, 150]), codes((256,)), st.data())
def test_lookup_equals_the_specification(
    isa: str, n: int, table: np.ndarray, data: st.DataObject
) -> None:
    """Every code finds its entry, -128 the first."""
    x = data.draw(codes((n,)))
    np.testing.assert_array_equal(kernels.lookup(x, table, isa=isa), intref.lookup(x, table))
    every = np.arange(-128, 128).astype(np.int8)
    np.testing.assert_array_equal(kernels.lookup(every, table, isa=isa), table)
    distinct = every[::-1].copy()
    np.testing.assert_array_equal(kernels.lookup(every, distinct, isa=isa), distinct)


def test_flatten_is_row_major() -> None:
    """The same order as the specification, from any memory layout."""
    x = np.asfortranarray(np.arange(24).reshape(2, 3, 2, 2).astype(np.int8))
    np.testing.assert_array_equal(kernels.flatten(x), intref.flatten(x))


@pytest.mark.parametrize("isa", ISAS)
@THOROUGHLY
@given(
    st.integers(0, 4),
    st.sampled_from([1, 2, 10, 15, 16, 17, 31, 32, 33, 100, 255, 256, 257, 300, 513]),
    st.data(),
)
def test_argmax_takes_the_first_of_equals(
    isa: str, rows: int, columns: int, data: st.DataObject
) -> None:
    """Ties are common here: half the draws hold one to four different values."""
    q = data.draw(codes((rows, columns)))
    index = kernels.argmax(q, isa=isa)
    assert index.dtype == np.int64
    np.testing.assert_array_equal(index, intref.argmax(q))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("columns", [10, 16, 17, 256, 257, 600])
def test_argmax_finds_every_position(isa: str, columns: int) -> None:
    """One largest code at each place, and the same again behind it."""
    for fill, largest in ((-128, -127), (-128, 127), (-1, 0), (126, 127)):
        q = np.full((columns, columns), fill, np.int8)
        for row in range(columns):
            q[row, row:] = largest
        np.testing.assert_array_equal(kernels.argmax(q, isa=isa), np.arange(columns))


def test_argmax_needs_a_class() -> None:
    """The largest of nothing is not defined."""
    with pytest.raises(ShapeError, match="no classes"):
        kernels.argmax(np.zeros((2, 0), np.int8))
