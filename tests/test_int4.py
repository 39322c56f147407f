"""Four-bit integers, two to a byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.integer import generators

from kdq_ref.errors import DTypeError, RangeError, ShapeError
from kdq_ref.int4 import Int4Array, as_int8, pack_int4, unpack_int4

shapes = st.lists(st.integers(0, 5), max_size=4).map(tuple)


@given(shapes, generators())
def test_packing_loses_nothing(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    """Any shape, also with an odd number of elements, one, or none."""
    values = rng.integers(-8, 8, shape, np.int8)
    packed = pack_int4(values)
    assert packed.dtype == np.uint8
    assert packed.shape == (-(-values.size // 2),)
    unpacked = unpack_int4(packed, shape)
    assert unpacked.dtype == np.int8
    np.testing.assert_array_equal(unpacked, values, strict=True)


def test_the_order_is_that_of_onnx() -> None:
    """The first of two lies in the low bits; two's complement; zeros after an odd last one."""
    values = np.array([[1, -8], [7, -1], [0, 3], [-3, 2], [-2, 0]], np.int8)
    assert pack_int4(values).tobytes() == bytes([0x81, 0xF7, 0x30, 0x2D, 0x0E])
    assert pack_int4(values[:, :1]).tobytes() == bytes([0x71, 0xD0, 0x0E])


def test_every_byte_is_two_values() -> None:
    """All 256 bytes, by Python's own arithmetic; and back."""
    packed = np.arange(256).astype(np.uint8)
    wanted = [n - 16 if n > 7 else n for byte in range(256) for n in (byte & 15, byte >> 4)]
    values = unpack_int4(packed, (512,))
    assert values.tolist() == wanted
    np.testing.assert_array_equal(pack_int4(values), packed)


def test_bits_behind_an_odd_last_value_do_not_matter() -> None:
    """ONNX pads with zeros; other writers might not."""
    assert unpack_int4(np.array([0xA5, 0xF9], np.uint8), (3,)).tolist() == [5, -6, -7]


def test_any_memory_layout_is_packed_in_c_order() -> None:
    """Transposed, strided and reversed views give what their copies give."""
    values = (np.arange(30) % 16 - 8).astype(np.int8).reshape(5, 6)
    for view in (values.T, values[::2, ::-1], np.asfortranarray(values)):
        np.testing.assert_array_equal(pack_int4(view), pack_int4(view.copy(order="C")))


def test_a_value_of_five_bits_is_refused() -> None:
    """The message names the first one, where it is, and how many there are."""
    values = np.array([[-8, 7], [0, 8], [-9, 1]], np.int8)
    with pytest.raises(RangeError, match=r"2 do not, the first at index \(1, 1\) is 8"):
        pack_int4(values)
    with pytest.raises(RangeError, match=r"index \(\) is -128"):
        pack_int4(np.array(-128, np.int8))


def test_wrong_operands_are_typed_errors() -> None:
    """dtypes, the number of bytes, and shapes that are none."""
    with pytest.raises(DTypeError, match="values must have dtype int8"):
        pack_int4(np.zeros(2, np.int64))
    packed = np.zeros(2, np.uint8)
    for make in (unpack_int4, Int4Array):
        with pytest.raises(DTypeError, match="packed must have dtype uint8"):
            make(packed.astype(np.int8), (4,))
        with pytest.raises(ShapeError, match=r"packed must have shape \(3\)"):
            make(packed, (5, 1))
        with pytest.raises(ShapeError, match="packed"):
            make(packed.reshape(1, 2), (4,))
        with pytest.raises(RangeError, match="axis"):
            make(packed, (-4, -1))
        with pytest.raises(DTypeError, match="axis"):
            make(packed, (4.0,))
        with pytest.raises(DTypeError, match="shape"):
            make(packed, 4)
        with pytest.raises(ShapeError, match="packed"):
            make(packed, (2**40, 2**40))


def test_an_array_knows_its_shape_and_bytes() -> None:
    """Seven bytes for thirteen weights."""
    values = np.arange(-6, 7, dtype=np.int8).reshape(13, 1)
    stored = Int4Array.of(values)
    assert stored.shape == (13, 1)
    assert stored.nbytes == stored.packed.nbytes == 7
    np.testing.assert_array_equal(stored.unpack(), values, strict=True)
    np.testing.assert_array_equal(as_int8(stored), values, strict=True)
    assert as_int8(values) is values
    assert Int4Array(stored.packed, [np.int64(1), 13]).shape == (1, 13)
