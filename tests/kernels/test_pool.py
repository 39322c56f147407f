"""Pooling in C equals the specification."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.integer import (
    THOROUGHLY,
    WIDTHS,
    codes,
    pool_problems,
    requants,
    zero_points,
)

from kdq_ref import intref, kernels
from kdq_ref.errors import ShapeError
from kdq_ref.rounding import Requant, single_rounding

ISAS = ["ref", *kernels.available_isas()]
pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)


@pytest.mark.parametrize("isa", ISAS)
@THOROUGHLY
@given(pool_problems())
def test_max_pool_equals_the_specification(
    isa: str, problem: tuple[np.ndarray, dict[str, Any]]
) -> None:
    """Padding never wins, not even over -128."""
    x, keywords = problem
    np.testing.assert_array_equal(
        kernels.max_pool2d(x, isa=isa, **keywords), intref.max_pool2d(x, **keywords)
    )


@pytest.mark.parametrize("isa", ISAS)
@THOROUGHLY
@given(pool_problems(), st.data())
def test_avg_pool_equals_the_specification(
    isa: str, problem: tuple[np.ndarray, dict[str, Any]], data: st.DataObject
) -> None:
    """Padding contributes zero, whatever the zero point."""
    x, keywords = problem
    keywords |= {
        "x_zero_point": data.draw(zero_points()),
        "requant": data.draw(requants(1, magnitude=2.0**9)),
    }
    np.testing.assert_array_equal(
        kernels.avg_pool2d(x, isa=isa, **keywords), intref.avg_pool2d(x, **keywords)
    )


@pytest.mark.parametrize("isa", ISAS)
@given(st.data())
def test_global_avg_pool_equals_the_specification(isa: str, data: st.DataObject) -> None:
    """One value per channel, at channels around the vectors."""
    shape = data.draw(
        st.tuples(st.integers(0, 2), st.integers(1, 5), st.integers(1, 5), st.sampled_from(WIDTHS))
    )
    x = data.draw(codes(shape))
    keywords: dict[str, Any] = {
        "x_zero_point": data.draw(zero_points()),
        "requant": data.draw(requants(1, magnitude=2.0**9)),
    }
    np.testing.assert_array_equal(
        kernels.global_avg_pool(x, isa=isa, **keywords), intref.global_avg_pool(x, **keywords)
    )


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("channels", [*WIDTHS, 63, 130, 1023, 1024, 1025])
def test_pools_cross_blocks_of_channels(isa: str, channels: int) -> None:
    """At most 1024 sums are held at a time: whole pixels, or a part of one."""
    x = np.random.default_rng(channels).integers(-128, 128, (2, 5, 4, channels), np.int8)
    window: dict[str, Any] = {"kernel": (3, 2), "stride": (2, 2), "padding": (1, 2, 1, 0)}
    average: dict[str, Any] = {
        "x_zero_point": -9,
        "requant": Requant(single_rounding, single_rounding.constants(1.0, 1 / 6, 1.0), 4),
    }
    np.testing.assert_array_equal(
        kernels.max_pool2d(x, isa=isa, **window), intref.max_pool2d(x, **window)
    )
    np.testing.assert_array_equal(
        kernels.avg_pool2d(x, isa=isa, **window, **average),
        intref.avg_pool2d(x, **window, **average),
    )
    np.testing.assert_array_equal(
        kernels.global_avg_pool(x, isa=isa, **average), intref.global_avg_pool(x, **average)
    )


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("channels", WIDTHS)
@pytest.mark.parametrize("size", [(2, 2), (4, 5), (3, 33), (7, 70)])
def test_max_pool_of_halves(isa: str, channels: int, size: tuple[int, int]) -> None:
    """The common window, 2 x 2 with stride 2, also where the last line or column is left out."""
    x = np.random.default_rng(channels).integers(-128, 128, (2, *size, channels), np.int8)
    keywords: dict[str, Any] = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0, 0, 0)}
    np.testing.assert_array_equal(
        kernels.max_pool2d(x, isa=isa, **keywords), intref.max_pool2d(x, **keywords)
    )


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("pixels", [255, 256, 257, 513])
@pytest.mark.parametrize("value", [-128, 127])
def test_long_sums_of_extremes(isa: str, pixels: int, value: int) -> None:
    """256 codes of -128 are what int16 holds; one more must already be elsewhere."""
    x = np.full((1, 1, pixels, 33), value, np.int8)
    constants = single_rounding.constants(1.0, 1 / pixels, 1.0)
    for zero_point in (0, -128, 127):
        keywords: dict[str, Any] = {
            "x_zero_point": zero_point,
            "requant": Requant(single_rounding, constants, zero_point),
        }
        result = kernels.global_avg_pool(x, isa=isa, **keywords)
        np.testing.assert_array_equal(result, intref.global_avg_pool(x, **keywords))
        np.testing.assert_array_equal(result, value)


@pytest.mark.parametrize("isa", ISAS)
def test_an_empty_image_is_all_padding(isa: str) -> None:
    """A window without any real element reads nothing: the specification's -128."""
    x = np.zeros((1, 0, 0, 3), np.int8)
    keywords: dict[str, Any] = {"kernel": (2, 2), "stride": (1, 1), "padding": (1, 1, 1, 1)}
    np.testing.assert_array_equal(
        kernels.max_pool2d(x, isa=isa, **keywords), intref.max_pool2d(x, **keywords)
    )


def test_a_window_of_padding_alone_is_refused() -> None:
    """Padding must be smaller than the window."""
    with pytest.raises(ShapeError, match="padding"):
        kernels.max_pool2d(
            np.zeros((1, 4, 4, 1), np.int8), kernel=(2, 2), stride=(2, 2), padding=(2, 0, 0, 0)
        )
