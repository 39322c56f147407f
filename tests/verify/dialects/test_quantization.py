"""Shared steps of float32 quantization."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kdq_ref import intref
from kdq_ref.verify.dialects.quantization import (
    centred,
    codes_of,
    dequantize,
    look_up,
    quantize,
    saturate,
)
from kdq_ref.verify.network import Encoding, Network, Node

_REALS = arrays.arrays(
    np.float32, 20, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
)


@given(_REALS, st.floats(2.0**-20, 2.0**20, width=32), st.integers(-128, 127))
def test_int8_is_the_specification(x: np.ndarray, scale: float, zero_point: int) -> None:
    """Quantize and dequantize are those of intref; uint8 is the same, moved by 128."""
    signed = Encoding("int8", scale, zero_point)
    codes = quantize(x, signed)
    np.testing.assert_array_equal(codes, intref.quantize(x, scale=scale, zero_point=zero_point))
    unsigned = Encoding("uint8", scale, zero_point + 128)
    np.testing.assert_array_equal(quantize(x, unsigned).astype(int) - 128, codes)
    reals = intref.dequantize(codes, scale=scale, zero_point=zero_point)
    np.testing.assert_array_equal(dequantize(codes, signed), reals)


def test_saturation_and_clamp() -> None:
    """Storage first; a fused ReLU6 of scale 0.5 and zero point 10 is [10, 22]."""
    values = np.array([-1000, 0, 15, 1000])
    plain = Node("y", "add", ("a",), Encoding("uint8", 0.5, 10))
    assert saturate(plain, values).tolist() == [0, 0, 15, 255]
    clamped = Node("y", "add", ("a",), Encoding("uint8", 0.5, 10), clamp=(0.0, 6.0))
    assert saturate(clamped, values).tolist() == [10, 10, 15, 22]


def test_tables_begin_at_the_smallest_code() -> None:
    """Looking up in the table of all codes gives the codes."""
    for dtype in ("int8", "uint8"):
        encoding = Encoding(dtype, 1.0, 3)
        codes = codes_of(encoding)
        assert (len(codes), codes.dtype) == (256, dtype)
        np.testing.assert_array_equal(look_up(codes, codes[::-1], encoding), codes[::-1])


def test_centred() -> None:
    """By the zero point of the input of that number."""
    encodings = {"a": Encoding("uint8", 1.0, 5), "b": Encoding("uint8", 1.0, 7)}
    node = Node("y", "add", ("a", "b"), Encoding("uint8"))
    network = Network(encodings, {"a": (1,), "b": (1,)}, (node,), "y")
    codes = np.array([[0]], np.uint8)
    assert (centred(network, node, codes).item(), centred(network, node, codes, 1).item()) == (
        -5,
        -7,
    )
