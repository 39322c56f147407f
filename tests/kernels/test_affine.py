"""gemm, dense and convolutions in C equal the specification."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from strategies.integer import (
    THOROUGHLY,
    codes,
    conv2d_problems,
    dense_problems,
    depthwise_problems,
    gemm_problems,
    int4_dense_problems,
    int4_problems,
    narrow_problems,
    winograd_problems,
)

from kdq_ref import intref, kernels
from kdq_ref.errors import DTypeError, InvalidArgumentError, RangeError, ShapeError
from kdq_ref.int4 import Int4Array
from kdq_ref.rounding import Requant, single_rounding

ISAS = ["ref", *kernels.available_isas()]
pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)

REQUANT = Requant(single_rounding, single_rounding.constants(1.0, 2.0**-8, 1.0), 0)


@pytest.mark.parametrize("isa", ISAS)
@THOROUGHLY
@given(gemm_problems())
def test_gemm_is_exact(isa: str, problem: tuple[np.ndarray, np.ndarray]) -> None:
    """Each kernel, and the three loops of "ref", give the specification's product."""
    a, b = problem
    c = kernels.gemm(a, b, isa=isa)
    assert c.dtype == np.int32
    np.testing.assert_array_equal(c, intref.gemm(a, b))


@pytest.mark.parametrize("isa", ISAS)
def test_gemm_holds_the_longest_sum(isa: str) -> None:
    """K = 131,071 of -128 * -128 fits int32 exactly; one more is refused."""
    row = np.full((1, 131_071), -128, np.int8)
    assert kernels.gemm(row, row.T, isa=isa)[0, 0] == 131_071 * 128 * 128
    longer = np.zeros((1, 131_072), np.int8)
    with pytest.raises(ShapeError, match="131072"):
        kernels.gemm(longer, longer.T, isa=isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("m", [64, 65, 239, 240, 241, 500])
def test_gemm_crosses_blocks_of_rows(isa: str, m: int) -> None:
    """The driver loads at most 240 rows at a time, and widens weights for more than 64."""
    rng = np.random.default_rng(m)
    for k in (9, 700, 2048):
        a, b = rng.integers(-128, 128, (m, k), np.int8), rng.integers(-128, 128, (k, 7), np.int8)
        np.testing.assert_array_equal(kernels.gemm(a, b, isa=isa), intref.gemm(a, b))


@pytest.mark.parametrize("isa", ISAS)
@given(dense_problems())
def test_dense_equals_the_specification(
    isa: str, problem: tuple[np.ndarray, dict[str, Any]]
) -> None:
    """Every zero point, rule and clamp, at sizes around the tiles."""
    x, keywords = problem
    np.testing.assert_array_equal(
        kernels.dense(x, isa=isa, **keywords), intref.dense(x, **keywords)
    )


@pytest.mark.parametrize("isa", ISAS)
@THOROUGHLY
@given(conv2d_problems())
def test_conv2d_equals_the_specification(
    isa: str, problem: tuple[np.ndarray, dict[str, Any]]
) -> None:
    """Every stride, padding on each side, dilation, group, also with no channels or images."""
    x, keywords = problem
    np.testing.assert_array_equal(
        kernels.conv2d(x, isa=isa, **keywords), intref.conv2d(x, **keywords)
    )


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    ("size", "kernel", "channels"),
    [((28, 28), (3, 3), 1), ((12, 11), (5, 5), 3), ((9, 9), (1, 1), 17), ((5, 5), (3, 3), 40)],
)
def test_conv2d_crosses_blocks_of_rows(
    isa: str, size: tuple[int, int], kernel: tuple[int, int], channels: int
) -> None:
    """More output pixels than are gathered at a time, in the middle of lines and of images."""
    rng = np.random.default_rng(channels)
    x = rng.integers(-128, 128, (3, *size, channels), np.int8)
    keywords: dict[str, Any] = {
        "weight": rng.integers(-127, 128, (*kernel, channels, 6), np.int8),
        "bias": rng.integers(-1000, 1000, 6, np.int32),
        "x_zero_point": -7,
        "requant": REQUANT,
        "padding": (kernel[0] // 2, kernel[0] // 2, kernel[1] // 2, kernel[1] // 2),
    }
    np.testing.assert_array_equal(
        kernels.conv2d(x, isa=isa, **keywords), intref.conv2d(x, **keywords)
    )


@pytest.mark.parametrize("isa", [isa for isa in ISAS if isa in ("avx2", "scalar")])
@THOROUGHLY
@given(winograd_problems())
def test_every_form_of_weights_equals_the_specification(
    isa: str, problem: tuple[np.ndarray, dict[str, Any]]
) -> None:
    """int8, widened, and Winograd's transform: odd sizes, tails of channels, extreme codes."""
    x, keywords = problem
    wanted = intref.conv2d(x, **keywords)
    for form in ("compact", "wide", "winograd"):
        np.testing.assert_array_equal(kernels.conv2d(x, isa=isa, form=form, **keywords), wanted)


@pytest.mark.parametrize("isa", [isa for isa in ISAS if isa in ("avx2", "scalar")])
def test_winograd_crosses_blocks_of_tiles(isa: str) -> None:
    """More tile rows than pass over the weights together, in the middle of an image; K is long."""
    rng = np.random.default_rng(5)
    for size, channels in (((21, 30), 24), ((5, 5), 700)):
        x = rng.integers(-128, 128, (4, *size, channels), np.int8)
        keywords: dict[str, Any] = {
            "weight": rng.choice(np.array([-127, 127], np.int8), (3, 3, channels, 17)),
            "bias": rng.integers(-1000, 1000, 17, np.int32),
            "x_zero_point": 90,
            "requant": Requant(single_rounding, single_rounding.constants(1.0, 2.0**-17, 1.0), 0),
            "padding": (1, 1, 1, 1),
        }
        np.testing.assert_array_equal(
            kernels.conv2d(x, isa=isa, form="winograd", **keywords), intref.conv2d(x, **keywords)
        )


@pytest.mark.parametrize("isa", [isa for isa in ISAS if isa == "avx2"])
@THOROUGHLY
@given(narrow_problems())
def test_pair_sums_of_small_weights_are_exact(
    isa: str, problem: tuple[np.ndarray, dict[str, Any]]
) -> None:
    """Sums in 16 bits, at the largest weights for which they are proven not to saturate."""
    x, keywords = problem
    np.testing.assert_array_equal(
        kernels.conv2d(x, isa=isa, form="pairs", **keywords), intref.conv2d(x, **keywords)
    )


@pytest.mark.parametrize("isa", [isa for isa in ISAS if isa == "avx2"])
@pytest.mark.parametrize("weight", [-64, -32, -8, -7, 7, 8, 32, 64])
@pytest.mark.parametrize("k", [1, 4, 63, 64, 65, 300])
def test_pair_sums_hold_the_largest_activations(isa: str, weight: int, k: int) -> None:
    """127 is 255 in the kernel: 255 * 128 is the largest sum that a lane may reach."""
    x = np.full((13, k), 127, np.int8)
    keywords: dict[str, Any] = {"bias": np.zeros(17, np.int32), "x_zero_point": -128}
    keywords["weight"] = np.full((k, 17), weight, np.int8)
    keywords["requant"] = Requant(
        single_rounding, single_rounding.constants(1.0, 100 / (255.0 * k * abs(weight)), 1.0), 0
    )
    np.testing.assert_array_equal(
        kernels.dense(x, isa=isa, form="pairs", **keywords), intref.dense(x, **keywords)
    )


@pytest.mark.parametrize("isa", [isa for isa in ISAS if isa == "avx2"])
@pytest.mark.parametrize(
    ("pair", "fits"), [((64, 64), True), ((127, 1), True), ((127, -127), True), ((64, 65), False)]
)
def test_pair_sums_are_refused_unless_proven(isa: str, pair: tuple[int, int], fits: bool) -> None:
    """What counts is the sum of the weights of one sign that meet, not the largest weight."""
    weight = np.zeros((6, 20), np.int8)
    weight[2:4, 18] = pair
    keywords: dict[str, Any] = {"x_zero_point": 0, "requant": REQUANT}
    x, bias = np.full((2, 6), 127, np.int8), np.zeros(20, np.int32)
    wanted = intref.dense(x, weight, bias, **keywords)
    np.testing.assert_array_equal(kernels.dense(x, weight, bias, isa=isa, **keywords), wanted)
    if fits:
        got = kernels.dense(x, weight, bias, isa=isa, form="pairs", **keywords)
        np.testing.assert_array_equal(got, wanted)
    else:
        with pytest.raises(InvalidArgumentError, match="pairs"):
            kernels.dense(x, weight, bias, isa=isa, form="pairs", **keywords)


@pytest.mark.parametrize("isa", ISAS)
@THOROUGHLY
@given(int4_dense_problems())
def test_dense_takes_weights_of_four_bits(
    isa: str, problem: tuple[np.ndarray, dict[str, Any]]
) -> None:
    """Two to a byte or expanded, with every kernel, and in the form that expands in its loop."""
    x, keywords = problem
    wanted = intref.dense(x, **keywords)
    stored = {**keywords, "weight": Int4Array.of(keywords["weight"])}
    np.testing.assert_array_equal(intref.dense(x, **stored), wanted)
    for form in (None, "nibbles") if isa == "avx2" else (None,):
        np.testing.assert_array_equal(kernels.dense(x, isa=isa, form=form, **stored), wanted)


@pytest.mark.parametrize("isa", ISAS)
@THOROUGHLY
@given(int4_problems())
def test_conv2d_takes_weights_of_four_bits(
    isa: str, problem: tuple[np.ndarray, dict[str, Any]]
) -> None:
    """Segments that end in the middle of a sum, groups, more rows than expand in the loop."""
    x, keywords = problem
    wanted = intref.conv2d(x, **keywords)
    stored = {**keywords, "weight": Int4Array.of(keywords["weight"])}
    np.testing.assert_array_equal(intref.conv2d(x, **stored), wanted)
    for form in (None, "nibbles") if isa == "avx2" else (None,):
        np.testing.assert_array_equal(kernels.conv2d(x, isa=isa, form=form, **stored), wanted)


@pytest.mark.parametrize("isa", [isa for isa in ISAS if isa == "avx2"])
@pytest.mark.parametrize("form", ["pairs", "nibbles"])
@pytest.mark.parametrize("weight", [-8, 7])
@pytest.mark.parametrize("code", [-128, 127])
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 130])
def test_four_bits_hold_the_largest_sums(
    isa: str, form: str, weight: int, code: int, rows: int
) -> None:
    """16 weights of -8 meet in a lane: 255 * 128. Rows around tiles, and where panels expand."""
    k = 131
    x = np.full((rows, k), code, np.int8)
    keywords: dict[str, Any] = {"bias": np.arange(17, dtype=np.int32), "x_zero_point": -code - 1}
    keywords["weight"] = Int4Array.of(np.full((k, 17), weight, np.int8))
    keywords["requant"] = Requant(
        single_rounding, single_rounding.constants(1.0, 100 / (255.0 * k * abs(weight)), 1.0), 0
    )
    np.testing.assert_array_equal(
        kernels.dense(x, isa=isa, form=form, **keywords), intref.dense(x, **keywords)
    )


@pytest.mark.parametrize("isa", [isa for isa in ISAS if isa == "avx2"])
@pytest.mark.parametrize("weight", [-9, 8])
def test_nibbles_are_refused_for_five_bits(isa: str, weight: int) -> None:
    """One weight outside [-8, 7] among many."""
    weights = np.zeros((6, 20), np.int8)
    weights[3, 18] = weight
    x, bias = np.full((2, 6), 127, np.int8), np.zeros(20, np.int32)
    with pytest.raises(InvalidArgumentError, match=r"nibbles.*\[-8, 7\]"):
        kernels.dense(x, weights, bias, x_zero_point=0, requant=REQUANT, isa=isa, form="nibbles")


def test_winograd_is_refused_where_it_might_overflow() -> None:
    """4 * 128 * sum |w| must fit int32: 9 * 3669 weights of 127 do, one channel more does not."""
    for channels, fits in ((3669, True), (3670, False)):
        weight = np.full((3, 3, channels, 1), 127, np.int8)
        x = np.full((1, 3, 3, channels), -128, np.int8)
        keywords: dict[str, Any] = {"bias": np.zeros(1, np.int32), "x_zero_point": 0}
        keywords["requant"] = Requant(
            single_rounding, single_rounding.constants(1.0, 2.0**-23, 1.0), 0
        )
        wanted = intref.conv2d(x, weight, **keywords)
        np.testing.assert_array_equal(kernels.conv2d(x, weight, **keywords), wanted)
        if fits:
            got = kernels.conv2d(x, weight, isa="scalar", form="winograd", **keywords)
            np.testing.assert_array_equal(got, wanted)
        else:
            with pytest.raises(InvalidArgumentError, match="winograd"):
                kernels.conv2d(x, weight, isa="scalar", form="winograd", **keywords)


def test_forms_that_do_not_apply_are_refused() -> None:
    """Unknown names, strides, and kernels whose elements are bytes."""
    x, bias = np.zeros((1, 5, 5, 2), np.int8), np.zeros(2, np.int32)
    weight = np.zeros((3, 3, 2, 2), np.int8)
    keywords: dict[str, Any] = {"x_zero_point": 0, "requant": REQUANT}
    with pytest.raises(InvalidArgumentError, match="'dense'"):
        kernels.conv2d(x, weight, bias, form="dense", **keywords)
    with pytest.raises(InvalidArgumentError, match="stride 1"):
        kernels.conv2d(x, weight, bias, form="winograd", stride=(2, 1), **keywords)
    with pytest.raises(InvalidArgumentError, match="int16"):
        kernels.conv2d(x, weight, bias, form="winograd", isa="ref", **keywords)
    with pytest.raises(InvalidArgumentError, match="16 bits"):
        kernels.conv2d(x, weight, bias, form="nibbles", isa="ref", **keywords)


@pytest.mark.parametrize("isa", ISAS)
@THOROUGHLY
@given(depthwise_problems())
def test_depthwise_equals_the_specification(
    isa: str, problem: tuple[np.ndarray, dict[str, Any]]
) -> None:
    """Channels around the vectors, channel multipliers, and taps that fall off the image."""
    x, keywords = problem
    np.testing.assert_array_equal(
        kernels.depthwise_conv2d(x, isa=isa, **keywords), intref.depthwise_conv2d(x, **keywords)
    )


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    ("channels", "multiplier"),
    [(15, 1), (16, 1), (17, 1), (32, 1), (33, 1), (63, 1), (64, 1), (65, 2), (43, 3), (1, 16)],
)
@pytest.mark.parametrize("width", [2, 5, 12])
def test_depthwise_crosses_blocks(isa: str, channels: int, multiplier: int, width: int) -> None:
    """Blocks of channels and of columns; a block may start inside an input channel."""
    _check_depthwise(isa, (2, 4, width, channels), channels * multiplier, padding=(1, 1, 1, 1))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("stride", "dilation"), [(7, 7), (8, 8), (14, 7), (3, 9)])
def test_depthwise_with_taps_far_apart(isa: str, stride: int, dilation: int) -> None:
    """One output: its last taps are the image's last pixels, and `make asan` allows no more."""
    side, two = 2 * dilation + 1, (dilation, dilation)
    _check_depthwise(isa, (1, side, side, 64), 64, stride=(stride, stride), dilation=two)


def _check_depthwise(isa: str, shape: tuple[int, ...], outputs: int, **window: Any) -> None:
    rng = np.random.default_rng(outputs)
    x = rng.integers(-128, 128, shape, np.int8)
    constants = single_rounding.constants(0.5, rng.uniform(0.005, 0.02, outputs), 1.0)
    keywords = {
        "weight": rng.integers(-127, 128, (3, 3, 1, outputs), np.int8),
        "bias": rng.integers(-1000, 1000, outputs, np.int32),
        "requant": Requant(single_rounding, constants, 3),
    } | {"x_zero_point": 11, **window}
    np.testing.assert_array_equal(
        kernels.depthwise_conv2d(x, isa=isa, **keywords), intref.depthwise_conv2d(x, **keywords)
    )


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("code", [-128, 127])
@pytest.mark.parametrize("weight", [-128, 127])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 1), (3, 3), (5, 4)])
def test_depthwise_of_extremes(isa: str, code: int, weight: int, kernel: tuple[int, int]) -> None:
    """Two products of -128 * -128 leave int16 by one: nothing may be summed there."""
    x = np.full((1, 6, 9, 18), code, np.int8)
    scale = 100 / (kernel[0] * kernel[1] * 255 * 128)
    keywords: dict[str, Any] = {
        "weight": np.full((*kernel, 1, 18), weight, np.int8),
        "bias": np.zeros(18, np.int32),
        "x_zero_point": 127 if code < 0 else -128,
        "requant": Requant(single_rounding, single_rounding.constants(1.0, scale, 1.0), 0),
        "padding": (0, 0, 1, 0),
    }
    np.testing.assert_array_equal(
        kernels.depthwise_conv2d(x, isa=isa, **keywords), intref.depthwise_conv2d(x, **keywords)
    )


@given(codes((6, 7)), codes((7, 5)))
def test_any_memory_layout_is_accepted(a: np.ndarray, b: np.ndarray) -> None:
    """Transposed, strided, reversed and read-only operands give what their copies give."""
    wide = np.zeros((12, 14), np.int8)
    wide[::2, ::2] = a
    frozen = b.copy()
    frozen.flags.writeable = False
    for view in (np.asfortranarray(a), wide[::2, ::2], a[::-1][::-1]):
        np.testing.assert_array_equal(kernels.gemm(view, frozen), intref.gemm(a, b))


def test_a_misaligned_bias_is_accepted() -> None:
    """int32 at an odd address, as a memory-mapped file may hold it, is copied first."""
    memory = np.zeros(17, np.uint8)
    bias = memory[1:17].view(np.int32)
    assert not bias.flags.aligned
    bias[:] = [1000, -1000, 70000, 0]
    x, weight = np.ones((2, 3), np.int8), np.ones((3, 4), np.int8)
    keywords: dict[str, Any] = {"x_zero_point": 0, "requant": REQUANT}
    np.testing.assert_array_equal(
        kernels.dense(x, weight, bias, **keywords), intref.dense(x, weight, bias, **keywords)
    )


def test_wrong_operands_are_refused_before_c_sees_them() -> None:
    """dtype, rank and size errors are typed and name the argument."""
    good = np.zeros((2, 3), np.int8)
    with pytest.raises(DTypeError, match="a must have dtype int8, got float32"):
        kernels.gemm(good.astype(np.float32), good.T)
    with pytest.raises(ShapeError, match="b must have shape"):
        kernels.gemm(good, good)
    keywords: dict[str, Any] = {"x_zero_point": 0, "requant": REQUANT}
    with pytest.raises(DTypeError, match="bias"):
        kernels.dense(good, good.T, np.zeros(2, np.int64), **keywords)
    with pytest.raises(RangeError, match="x_zero_point"):
        kernels.dense(good, good.T, np.zeros(2, np.int32), x_zero_point=128, requant=REQUANT)
    image, weight = np.zeros((1, 4, 4, 2), np.int8), np.zeros((3, 3, 2, 2), np.int8)
    with pytest.raises(ShapeError, match="channels"):
        kernels.conv2d(image, weight[:, :, :1], np.zeros(2, np.int32), **keywords)
    with pytest.raises(ShapeError, match="does not fit"):
        kernels.conv2d(image[:, :2], weight, np.zeros(2, np.int32), **keywords)
    with pytest.raises(RangeError, match="stride"):
        kernels.conv2d(image, weight, np.zeros(2, np.int32), stride=(0, 1), **keywords)
