"""16x8 products in C equal the specification."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.int16x8 import (
    ACC_MAX,
    ACC_MIN,
    activations,
    dense_16x8_problems,
    gemm_16x8_problems,
    requants_16x8,
)
from strategies.integer import THOROUGHLY, WIDTHS, codes, generators

from kdq_ref import intref, kernels
from kdq_ref.errors import DTypeError, KernelUnavailableError, RangeError, ShapeError
from kdq_ref.rounding import RULES_16X8, Constants, Requant16x8, reduced_16x8

ISAS = ["ref", *kernels.available_isas()]
pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)

REQUANT = Requant16x8(reduced_16x8.constants(1.0, 2.0**-16, 1.0))


@pytest.mark.parametrize("isa", ISAS)
@THOROUGHLY
@given(gemm_16x8_problems())
def test_gemm_is_exact(isa: str, problem: tuple[np.ndarray, np.ndarray]) -> None:
    """At sizes around the tiles and around the runs of K that kernels sum in int32."""
    a, b = problem
    c = kernels.gemm_16x8(a, b, isa=isa)
    assert c.dtype == np.int64
    np.testing.assert_array_equal(c, intref.gemm_16x8(a, b))


@pytest.mark.parametrize("isa", ISAS)
@THOROUGHLY
@given(dense_16x8_problems())
def test_dense_equals_the_specification(
    isa: str, problem: tuple[np.ndarray, dict[str, Any]]
) -> None:
    """Every exponent and clamp, biases up to 2**47, constants for each channel or for all."""
    x, keywords = problem
    y = kernels.dense_16x8(x, isa=isa, **keywords)
    assert y.dtype == np.int16
    np.testing.assert_array_equal(y, intref.dense_16x8(x, **keywords))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("k", [503, 504, 505, 508, 509, 510, 511, 512, 513, 1019, 1020, 1021])
@pytest.mark.parametrize(("x", "w"), [(-32768, -128), (-32768, 127), (32767, -128), (32767, 127)])
def test_sums_of_extremes_never_wrap(isa: str, k: int, x: int, w: int) -> None:
    """512 products of -32768 * -128 are 2**31: int32 holds 511."""
    a, b = np.full((7, k), x, np.int16), np.full((k, 17), w, np.int8)
    np.testing.assert_array_equal(kernels.gemm_16x8(a, b, isa=isa), k * x * w)


@pytest.mark.parametrize("isa", ISAS)
def test_gemm_holds_the_longest_sum(isa: str) -> None:
    """K = 131,071 of -32768 * -128 is exact; one more is refused."""
    a, b = np.full((1, 131_071), -32768, np.int16), np.full((131_071, 1), -128, np.int8)
    assert kernels.gemm_16x8(a, b, isa=isa)[0, 0] == 131_071 * 2**22
    with pytest.raises(ShapeError, match="131072"):
        kernels.gemm_16x8(np.zeros((1, 131_072), np.int16), np.zeros((131_072, 1), np.int8))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("m", [119, 120, 121, 300])
def test_dense_crosses_blocks_of_rows(isa: str, m: int) -> None:
    """The driver loads at most 120 rows at a time, fewer for long rows."""
    rng = np.random.default_rng(m)
    for k in (9, 700, 2048):
        x = rng.integers(-(2**15), 2**15, (m, k), np.int16)
        keywords: dict[str, Any] = {
            "weight": rng.integers(-128, 128, (k, 19), np.int8),
            "bias": rng.integers(-(2**20), 2**20, 19),
            "requant": Requant16x8(reduced_16x8.constants(1.0, rng.uniform(1e-4, 1e-2, 19), 1.0)),
        }
        np.testing.assert_array_equal(
            kernels.dense_16x8(x, isa=isa, **keywords), intref.dense_16x8(x, **keywords)
        )


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("rows", [1, 4])
@THOROUGHLY
@given(st.sampled_from([0, *WIDTHS]), generators(), st.data())
def test_requantize_equals_the_rule(
    isa: str, rows: int, channels: int, rng: np.random.Generator, data: st.DataObject
) -> None:
    """Random accumulators of every size and the ends of 48 bits, with any constants."""
    requant = data.draw(requants_16x8(channels, magnitude=2.0**30))
    acc = rng.integers(ACC_MIN, ACC_MAX + 1, (rows, channels)) >> rng.integers(
        0, 48, (rows, channels)
    )
    ends = rng.choice([ACC_MIN, ACC_MAX, 0, -1, 1], acc.shape)
    acc = np.where(rng.random(acc.shape) < 0.2, ends, acc)
    np.testing.assert_array_equal(
        kernels.requantize_16x8(acc, requant, isa=isa), requant.apply(acc)
    )


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", RULES_16X8)
@pytest.mark.parametrize("exponent", [-31, -30, -17, -16, -9, -1, 0, 1, 6, 7])
@pytest.mark.parametrize("mantissa", [2**30, 2**30 + 2**15, 3 * 2**29, 0x7FFF0000, 2**31 - 1])
def test_requantize_at_ties(isa: str, name: str, exponent: int, mantissa: int) -> None:
    """Accumulators around ties whose result is inside int16 or at its ends, and one step aside."""
    constants = Constants(
        np.array([mantissa], np.int32), np.array([exponent], np.int32), np.zeros(1, np.float32)
    )
    bits, factor = 31, mantissa
    if name == "reduced_16x8":
        bits, factor = 15, min((mantissa + 2**15) >> 16, 0x7FFF)
    halves = [*range(-70, 70), *range(32760, 32775), *range(-32775, -32760)]
    ties = [(2 * half + 1) * 2 ** (bits - 1 - exponent) // factor for half in halves]
    acc = np.array([tie + aside for tie in ties for aside in range(-2, 3)])
    acc = np.clip([*acc, ACC_MIN, ACC_MIN + 1, ACC_MAX], ACC_MIN, ACC_MAX)
    square = acc[: len(acc) // 37 * 37].reshape(-1, 37)
    requant = Requant16x8(constants, rule=RULES_16X8[name])
    for shaped in (acc[:, None], acc, square):
        np.testing.assert_array_equal(
            kernels.requantize_16x8(shaped, requant, isa=isa), requant.apply(shaped)
        )


@pytest.mark.parametrize("isa", ISAS)
def test_requantize_takes_any_number_of_axes(isa: str) -> None:
    """None, one, three, and empty ones, as the specification does."""
    for shape in ((), (4,), (2, 3, 4), (2, 0), (0, 3)):
        acc = np.full(shape, 98304, np.int64)
        y = kernels.requantize_16x8(acc, REQUANT, isa=isa)
        assert y.shape == shape
        np.testing.assert_array_equal(y, 2)


@given(activations((6, 7)), codes((7, 5)))
def test_any_memory_layout_is_accepted(a: np.ndarray, b: np.ndarray) -> None:
    """Transposed, strided and read-only operands give what their copies give."""
    wide = np.zeros((12, 14), np.int16)
    wide[::2, ::2] = a
    frozen = b.copy()
    frozen.flags.writeable = False
    for view in (np.asfortranarray(a), wide[::2, ::2], a[::-1][::-1]):
        np.testing.assert_array_equal(kernels.gemm_16x8(view, frozen), intref.gemm_16x8(a, b))


def test_misaligned_arrays_are_accepted() -> None:
    """int16 and int64 at odd addresses, as a memory-mapped file may hold them, are copied first."""
    x = np.zeros(25, np.uint8)[1:].view(np.int16).reshape(4, 3)
    bias = np.zeros(17, np.uint8)[1:].view(np.int64)
    assert not x.flags.aligned
    assert not bias.flags.aligned
    x[:] = np.arange(12).reshape(4, 3) * 2000
    bias[:] = [10**9, -(10**12)]
    weight = np.array([[1, -1], [2, -2], [127, -128]], np.int8)
    np.testing.assert_array_equal(
        kernels.dense_16x8(x, weight, bias, requant=REQUANT),
        intref.dense_16x8(x, weight, bias, requant=REQUANT),
    )
    np.testing.assert_array_equal(
        kernels.requantize_16x8(bias, REQUANT), intref.requantize_16x8(bias, REQUANT)
    )


def test_wrong_operands_are_refused_before_c_sees_them() -> None:
    """dtype, rank, size and range errors are typed and name the argument."""
    x, weight, bias = np.zeros((2, 3), np.int16), np.zeros((3, 4), np.int8), np.zeros(4, np.int64)
    with pytest.raises(DTypeError, match="a must have dtype int16, got int8"):
        kernels.gemm_16x8(weight, weight)
    with pytest.raises(ShapeError, match="b must have shape"):
        kernels.gemm_16x8(x, weight[:2])
    with pytest.raises(DTypeError, match="bias must have dtype int64"):
        kernels.dense_16x8(x, weight, bias.astype(np.int32), requant=REQUANT)
    with pytest.raises(RangeError, match="bias"):
        kernels.dense_16x8(x, weight, bias + 2**47, requant=REQUANT)
    with pytest.raises(RangeError, match="accumulator"):
        kernels.requantize_16x8(bias + 2**47, REQUANT)
    three = Requant16x8(reduced_16x8.constants(1.0, [0.5, 0.5, 0.5], 1.0))
    for call in (
        lambda: kernels.dense_16x8(x, weight, bias, requant=three),
        lambda: kernels.requantize_16x8(bias, three),
    ):
        with pytest.raises(ShapeError, match="3 channels"):
            call()
    with pytest.raises(KernelUnavailableError, match="nonesuch"):
        kernels.dense_16x8(x, weight, bias, requant=REQUANT, isa="nonesuch")
