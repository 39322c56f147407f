"""Addition, look-up, flatten and argmax."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref import intref
from kdq_ref.errors import DTypeError, NotFiniteError, RangeError, ShapeError
from kdq_ref.rounding import RULES, Requant

ALL_CODES = np.arange(-128, 128).astype(np.int8)
zero_points = st.integers(-128, 127)
multipliers = st.one_of(st.integers(0, 2**20), st.sampled_from([0, 1, 2**20]))


@given(zero_points, zero_points, multipliers, multipliers, st.sampled_from(sorted(RULES)))
def test_add_is_a_weighted_sum_of_every_pair_of_codes(
    za: int, zb: int, ma: int, mb: int, rule: str
) -> None:
    """All 65,536 pairs, in exact integers, then the rule; int32 is never left."""
    requant = Requant(RULES[rule], RULES[rule].constants(1e-6, 1.0, 0.7), 11)
    a, b = np.repeat(ALL_CODES, 256)[None], np.tile(ALL_CODES, 256)[None]
    acc = (a.astype(object) - za) * ma + (b.astype(object) - zb) * mb
    assert max(abs(int(acc.min())), abs(int(acc.max()))) < 2**31
    result = intref.add(
        a, b, a_zero_point=za, b_zero_point=zb, a_multiplier=ma, b_multiplier=mb, requant=requant
    )
    np.testing.assert_array_equal(result, requant.apply(acc.astype(np.int64)))


def test_add_refuses_shapes_and_multipliers_out_of_range() -> None:
    """No broadcasting, and no multiplier that could overflow."""
    requant = Requant(RULES["single_rounding"], RULES["single_rounding"].constants(1, 1, 1), 0)
    keywords = {"a_zero_point": 0, "b_zero_point": 0, "b_multiplier": 1, "requant": requant}
    x = np.zeros((2, 3), np.int8)
    with pytest.raises(ShapeError, match="two equal shapes"):
        intref.add(x, x[:1], a_multiplier=1, **keywords)
    with pytest.raises(RangeError, match="a_multiplier"):
        intref.add(x, x, a_multiplier=2**20 + 1, **keywords)


@given(st.integers(0, 2**32 - 1))
def test_lookup_reads_the_entry_of_each_code(seed: int) -> None:
    """Entry i belongs to code i - 128."""
    table = np.random.default_rng(seed).integers(-128, 128, 256).astype(np.int8)
    np.testing.assert_array_equal(intref.lookup(ALL_CODES, table), table)
    np.testing.assert_array_equal(
        intref.lookup(ALL_CODES[::-1].reshape(2, 128), table)[1, 127], table[0]
    )


@given(
    st.floats(2.0**-20, 2.0**20, width=32),
    zero_points,
    st.floats(2.0**-20, 2.0**20, width=32),
    zero_points,
    st.sampled_from([np.tanh, np.square, np.negative, lambda x: 1e300 * x]),
)
def test_a_table_is_the_function_of_every_code(x_scale, x_zero_point, scale, zero_point, function):
    """Dequantized in float64, quantized as anything is; huge values clamp."""
    table = intref.lookup_table(
        function, x_scale=x_scale, x_zero_point=x_zero_point, scale=scale, zero_point=zero_point
    )
    largest = float(np.finfo(np.float32).max)
    for code, entry in zip(ALL_CODES.tolist(), table, strict=True):
        with np.errstate(over="ignore"):
            real = float(function(np.float64(x_scale * (code - x_zero_point))))
        one = np.array([min(max(real, -largest), largest)], np.float32)
        assert entry == intref.quantize(one, scale=scale, zero_point=zero_point)[0]


def test_a_table_needs_a_scale_a_code_and_a_value_for_each() -> None:
    """Typed errors, before a table of nonsense."""
    keywords = {"x_scale": 1.0, "x_zero_point": 0, "scale": 1.0, "zero_point": 0}
    with pytest.raises(RangeError, match="scale"):
        intref.lookup_table(np.tanh, **keywords | {"x_scale": -1.0})
    with pytest.raises(RangeError, match="x_zero_point"):
        intref.lookup_table(np.tanh, **keywords | {"x_zero_point": 1000})
    with pytest.raises(ShapeError, match="256"):
        intref.lookup_table(lambda x: x[:5], **keywords)
    with pytest.raises(NotFiniteError):
        intref.lookup_table(lambda x: x * np.nan, **keywords)


def test_lookup_refuses_a_short_table() -> None:
    """255 entries do not cover the codes."""
    with pytest.raises(ShapeError, match="table"):
        intref.lookup(ALL_CODES, np.zeros(255, np.int8))


def test_flatten_keeps_row_major_order() -> None:
    """Channels vary fastest, also from a transposed view."""
    x = np.arange(24, dtype=np.int8).reshape(2, 3, 2, 2)
    np.testing.assert_array_equal(intref.flatten(x), x.reshape(2, 12))
    turned = x.transpose(0, 2, 1, 3)
    np.testing.assert_array_equal(intref.flatten(turned), turned.copy().reshape(2, 12))
    assert intref.flatten(x[:0]).shape == (0, 12)


def test_argmax_takes_the_first_of_ties() -> None:
    """Also for all-equal rows and for an empty batch."""
    q = np.array([[1, 5, 5], [-128, -128, -128], [0, 0, 1]], np.int8)
    assert intref.argmax(q).tolist() == [1, 0, 2]
    assert intref.argmax(q[:0]).shape == (0,)
    assert intref.argmax(q).dtype == np.int64


def test_argmax_refuses_no_classes_and_floats() -> None:
    """There is no largest of nothing; logits are codes here."""
    with pytest.raises(ShapeError, match="no classes"):
        intref.argmax(np.zeros((2, 0), np.int8))
    with pytest.raises(DTypeError):
        intref.argmax(np.zeros((2, 3), np.float32))
