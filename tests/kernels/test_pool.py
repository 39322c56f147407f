"""Pooling in C equals the specification."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.integer import codes, pool_problems, requants, zero_points

from kdq_ref import intref, kernels
from kdq_ref.errors import ShapeError
from kdq_ref.rounding import Requant, single_rounding

pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)


@given(pool_problems())
def test_max_pool_equals_the_specification(problem: tuple[np.ndarray, dict[str, Any]]) -> None:
    """Padding never wins, not even over -128."""
    x, keywords = problem
    np.testing.assert_array_equal(
        kernels.max_pool2d(x, **keywords), intref.max_pool2d(x, **keywords)
    )


@given(pool_problems(), st.data())
def test_avg_pool_equals_the_specification(
    problem: tuple[np.ndarray, dict[str, Any]], data: st.DataObject
) -> None:
    """Padding contributes zero, whatever the zero point."""
    x, keywords = problem
    keywords |= {
        "x_zero_point": data.draw(zero_points()),
        "requant": data.draw(requants(1, magnitude=2.0**9)),
    }
    np.testing.assert_array_equal(
        kernels.avg_pool2d(x, **keywords), intref.avg_pool2d(x, **keywords)
    )


@given(st.data())
def test_global_avg_pool_equals_the_specification(data: st.DataObject) -> None:
    """One value per channel, over blocks of 64 channels."""
    shape = data.draw(
        st.tuples(
            st.integers(0, 2), st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 64, 65])
        )
    )
    x = data.draw(codes(shape))
    keywords: dict[str, Any] = {
        "x_zero_point": data.draw(zero_points()),
        "requant": data.draw(requants(1, magnitude=2.0**9)),
    }
    np.testing.assert_array_equal(
        kernels.global_avg_pool(x, **keywords), intref.global_avg_pool(x, **keywords)
    )


@pytest.mark.parametrize("channels", [63, 64, 65, 130])
def test_pools_cross_blocks_of_channels(channels: int) -> None:
    """Averages are summed 64 channels at a time."""
    x = np.random.default_rng(channels).integers(-128, 128, (2, 5, 4, channels), np.int8)
    window: dict[str, Any] = {"kernel": (3, 2), "stride": (2, 2), "padding": (1, 2, 1, 0)}
    average: dict[str, Any] = {
        "x_zero_point": -9,
        "requant": Requant(single_rounding, single_rounding.constants(1.0, 1 / 6, 1.0), 4),
    }
    np.testing.assert_array_equal(kernels.max_pool2d(x, **window), intref.max_pool2d(x, **window))
    np.testing.assert_array_equal(
        kernels.avg_pool2d(x, **window, **average), intref.avg_pool2d(x, **window, **average)
    )
    np.testing.assert_array_equal(
        kernels.global_avg_pool(x, **average), intref.global_avg_pool(x, **average)
    )


def test_an_empty_image_is_all_padding() -> None:
    """A window without any real element reads nothing: the specification's -128."""
    x = np.zeros((1, 0, 0, 3), np.int8)
    keywords: dict[str, Any] = {"kernel": (2, 2), "stride": (1, 1), "padding": (1, 1, 1, 1)}
    np.testing.assert_array_equal(
        kernels.max_pool2d(x, **keywords), intref.max_pool2d(x, **keywords)
    )


def test_a_window_of_padding_alone_is_refused() -> None:
    """Padding must be smaller than the window."""
    with pytest.raises(ShapeError, match="padding"):
        kernels.max_pool2d(
            np.zeros((1, 4, 4, 1), np.int8), kernel=(2, 2), stride=(2, 2), padding=(2, 0, 0, 0)
        )
