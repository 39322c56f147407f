"""Accumulator bounds: sound, tight, and enforced."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref import infer
from kdq_ref.errors import AccumulatorOverflowError
from kdq_ref.infer.bounds import prove
from kdq_ref.rounding import Requant, single_rounding


@given(st.integers(0, 8), st.integers(1, 4), st.integers(-128, 127), st.integers(0, 2**32 - 1))
def test_bounds_are_reached_and_never_left(k: int, n: int, zero_point: int, seed: int) -> None:
    """The extreme inputs attain both ends; random inputs and all partial sums stay inside."""
    rng = np.random.default_rng(seed)
    w = rng.integers(-127, 128, (k, n)).astype(np.int8)
    bias = rng.integers(-1000, 1000, n).astype(np.int32)
    reachable, partial = infer.accumulator_bounds(w, bias, zero_point)
    wide = w.astype(np.int64)
    for c in range(n):
        top = np.where(wide[:, c] > 0, 127, -128) - zero_point
        bottom = np.where(wide[:, c] > 0, -128, 127) - zero_point
        assert reachable[c].tolist() == [
            bottom @ wide[:, c] + bias[c],
            top @ wide[:, c] + bias[c],
        ]
    x = rng.integers(-128, 128, (20, k)) - zero_point
    acc = x @ wide + bias
    assert (acc >= reachable[:, 0]).all()
    assert (acc <= reachable[:, 1]).all()
    sums = bias + np.cumsum(x[:, :, None] * wide, axis=1)
    assert (np.abs(sums) <= partial).all()


def test_a_range_without_the_zero_point_still_holds_padding() -> None:
    """Where every code is above the zero point, a padded position is the smallest."""
    w = np.array([[3]], np.int8)
    reachable, partial = infer.accumulator_bounds(w, np.zeros(1, np.int32), -128, low=0, high=10)
    assert reachable.tolist() == [[0, 138 * 3]]
    assert partial.tolist() == [138 * 3]


def _dense(k: int, bias: int) -> infer.Dense:
    requant = Requant(single_rounding, single_rounding.constants(1e-6, 1.0, 1.0), 0)
    return infer.Dense(np.full((k, 1), 127, np.int8), np.array([bias], np.int32), -128, requant)


def test_the_first_bias_that_does_not_fit_is_refused() -> None:
    """|b| + 255 * 127 * K is allowed up to int32's maximum exactly; the message says where."""
    k = 66_000
    largest = 2**31 - 1 - 255 * 127 * k
    prove("fits", _dense(k, largest))
    prove("fits", _dense(k, -largest))
    for bias in (largest + 1, -largest - 1):
        with pytest.raises(AccumulatorOverflowError, match=r"layer 'fc', channel 0.*2147483648"):
            prove("fc", _dense(k, bias))


def test_operators_without_weights_need_no_proof() -> None:
    """Pools and additions are bounded by construction."""
    assert prove("pool", infer.MaxPool2d((2, 2), (2, 2))) is None


@given(st.integers(-128, 127))
def test_zero_points_may_be_numpy_integers(zero_point: int) -> None:
    """np.int8 must not wrap around and prove too small a bound."""
    weight, bias = np.full((3, 2), 100, np.int8), np.array([-7, 7], np.int32)
    for plain, narrow in zip(
        infer.accumulator_bounds(weight, bias, zero_point),
        infer.accumulator_bounds(weight, bias, np.int8(zero_point)),
        strict=True,
    ):
        np.testing.assert_array_equal(plain, narrow)
