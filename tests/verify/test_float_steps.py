"""Steps of float32 arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.verify.float_steps import fma32, to_int32

_FLOATS = st.floats(-(2.0**20), 2.0**20, width=32).filter(lambda x: x == 0 or abs(x) > 2.0**-40)


def _rounded(exact: Fraction) -> np.float32:
    """The nearest float32 to a rational, half to even: found between its two neighbours."""
    near = np.float32(float(exact))
    below, above = np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))
    best = min(
        (below, near, above), key=lambda x: (abs(Fraction(float(x)) - exact), x.view(np.int32) & 1)
    )
    return np.float32(best)


@given(_FLOATS, _FLOATS, _FLOATS)
def test_fma_is_rounded_once(a: float, b: float, c: float) -> None:
    """As a rational number, rounded to float32."""
    got = fma32(np.float32(a), np.float32(b), np.float32(c))
    assert got == _rounded(Fraction(a) * Fraction(b) + Fraction(c))


def test_fma_where_two_roundings_differ() -> None:
    """(1 + 2^-12)^2 + 2^-54 lies just above a half of float32; float64 loses that."""
    a, c = np.float32(1 + 2.0**-12), np.float32(2.0**-54)
    separate = np.float32(float(a) * float(a) + float(c))
    assert separate == np.float32(1 + 2.0**-11)
    assert fma32(a, a, c) == np.float32(1 + 2.0**-11 + 2.0**-23)
    assert fma32(a, a, -c) == separate


def test_fma_keeps_shapes() -> None:
    """Scalars broadcast, empty stays empty."""
    assert fma32(np.zeros((2, 0), np.float32), 1.0, 1.0).shape == (2, 0)
    assert fma32(np.ones((3, 2), np.float32), 2.0, 1.0).tolist() == [[3.0, 3.0]] * 3


def test_conversion_to_int32() -> None:
    """Half to even; whatever leaves int32, on either side, is its smallest number."""
    values = np.array([0.5, 1.5, -2.5, 2.0**31, -(2.0**31), -3e9, np.inf, np.nan], np.float32)
    assert to_int32(values).tolist() == [0, 2, -2, *[-(2**31)] * 5]
