"""Softmax in C equals the specification."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.integer import THOROUGHLY, codes, softmax_tables, tied_softmax

from kdq_ref import intref, kernels, operands
from kdq_ref.errors import DTypeError, InvalidArgumentError, RangeError, ShapeError

ISAS = ["ref", *kernels.available_isas()]
# Around vectors, loads of eight codes, and the length from which a row becomes a table look-up.
LENGTHS = [1, 2, 3, 7, 8, 9, 10, 31, 33, 127, 128, 129, 135, 136, 137, 160, 255, 257, 300]
TIES = [(n, m) for n in (2, 3, 6, 7, 61, 126, 127, 128, 191, 255) for m in (1, 3) if m * n < 256]
pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)


@pytest.mark.parametrize("isa", ISAS)
@THOROUGHLY
@given(st.integers(0, 3), st.sampled_from(LENGTHS), softmax_tables(), st.data())
def test_softmax_equals_the_specification(
    isa: str, rows: int, columns: int, table: np.ndarray, data: st.DataObject
) -> None:
    """Short and long rows, few and many different codes, tables of every scale and of none."""
    q = data.draw(codes((rows, columns)))
    np.testing.assert_array_equal(kernels.softmax(q, table, isa=isa), intref.softmax(q, table))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("n", "m"), TIES)
def test_softmax_rounds_halves_up(isa: str, n: int, m: int) -> None:
    """A reciprocal that is a little too small gives the next lower code here."""
    row, table = tied_softmax(n, m)
    y = kernels.softmax(row, table, isa=isa)
    assert y[-1] == (m + 1) // 2 - 128
    np.testing.assert_array_equal(y, intref.softmax(row, table))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("columns", [1, 127, 128, 1000, operands.MAX_CLASSES])
def test_softmax_at_the_ends(isa: str, columns: int) -> None:
    """The largest and the smallest sum that there are, at both ends of int8."""
    table = intref.softmax_table(0.001)
    for code in (-128, 127):
        q = np.full((2, columns), code, np.int8)
        np.testing.assert_array_equal(kernels.softmax(q, table, isa=isa), intref.softmax(q, table))
        q[1, -1] = 127
        q[0, -1] = -128
        np.testing.assert_array_equal(kernels.softmax(q, table, isa=isa), intref.softmax(q, table))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("columns", [10, 200])
def test_softmax_takes_any_layout(isa: str, columns: int) -> None:
    """Strided codes, more axes, and a table and an out that are aligned to a byte."""
    rng = np.random.default_rng(0)
    q = rng.integers(-128, 128, (columns, 3, 4), np.int8).T
    table = np.zeros(1025, np.uint8)[1:].view(np.int32)
    table[:] = intref.softmax_table(0.05)
    assert not table.flags.aligned
    out = np.zeros(q.size + 1, np.int8)[1:].reshape(q.shape)
    assert kernels.softmax(q, table, out=out, isa=isa) is out
    np.testing.assert_array_equal(out, intref.softmax(q, table))
    np.testing.assert_array_equal(kernels.softmax(q, table, isa=isa), out)


def test_softmax_checks_its_operands() -> None:
    """As the specification does; and out, which nothing is written to then."""
    q, table = np.zeros((2, 3), np.int8), intref.softmax_table(0.1)
    with pytest.raises(ShapeError, match="classes"):
        kernels.softmax(q[:, :0], table)
    with pytest.raises(DTypeError, match="q must"):
        kernels.softmax(q.astype(np.uint8), table)
    with pytest.raises(RangeError, match="softmax_table"):
        kernels.softmax(q, table[::-1])
    frozen = np.zeros((2, 3), np.int8)
    frozen.flags.writeable = False
    for bad, error, message in (
        (np.zeros((3, 2), np.int8), ShapeError, "out must have shape"),
        (np.zeros((2, 3), np.uint8), DTypeError, "out must have dtype"),
        (np.zeros((3, 2), np.int8).T, InvalidArgumentError, "C-contiguous"),
        (frozen, InvalidArgumentError, "writeable"),
        (q, InvalidArgumentError, "share memory"),
        (table.view(np.int8)[:6].reshape(2, 3), InvalidArgumentError, "share memory"),
    ):
        with pytest.raises(error, match=message):
            kernels.softmax(q, table, out=bad)
    assert not q.any()
