"""Pooling against loops over windows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref import intref
from kdq_ref.errors import ShapeError
from kdq_ref.rounding import RULES, Requant, single_rounding


@st.composite
def _pools(draw: st.DrawFn) -> tuple[np.ndarray, dict]:
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    rows, columns = st.integers(0, kernel[0] - 1), st.integers(0, kernel[1] - 1)
    geometry = {
        "kernel": kernel,
        "stride": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        "padding": (draw(rows), draw(rows), draw(columns), draw(columns)),
    }
    size = [k + draw(st.integers(0, 3)) for k in kernel]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(0, 2)), *size, draw(st.integers(1, 3)))
    return rng.integers(-128, 128, shape).astype(np.int8), geometry


def _windows(x: np.ndarray, kernel, stride, padding):
    """Yield (n, y, z, c, real elements of that window)."""
    batch, height, width, channels = x.shape
    oh = (height + padding[0] + padding[1] - kernel[0]) // stride[0] + 1
    ow = (width + padding[2] + padding[3] - kernel[1]) // stride[1] + 1
    for n, y, z, c in itertools.product(range(batch), range(oh), range(ow), range(channels)):
        rows = [y * stride[0] + i - padding[0] for i in range(kernel[0])]
        columns = [z * stride[1] + j - padding[2] for j in range(kernel[1])]
        yield (
            n,
            y,
            z,
            c,
            [
                int(x[n, r, s, c])
                for r in rows
                for s in columns
                if 0 <= r < height and 0 <= s < width
            ],
        )


@given(_pools())
def test_max_pool_is_the_maximum_of_real_elements(case: tuple[np.ndarray, dict]) -> None:
    """Padding never wins, even against -128."""
    x, geometry = case
    result = intref.max_pool2d(x, **geometry)
    for n, y, z, c, window in _windows(x, **geometry):
        assert result[n, y, z, c] == max(window)


@given(_pools(), st.integers(-128, 127), st.sampled_from(sorted(RULES)))
def test_avg_pool_is_the_requantized_sum(
    case: tuple[np.ndarray, dict], zero_point: int, rule: str
) -> None:
    """Padded positions are real zero; the division is in the multiplier, with one rounding."""
    x, geometry = case
    area = geometry["kernel"][0] * geometry["kernel"][1]
    requant = Requant(RULES[rule], RULES[rule].constants(0.1, 1 / area, 0.11), -3)
    result = intref.avg_pool2d(x, **geometry, x_zero_point=zero_point, requant=requant)
    for n, y, z, c, window in _windows(x, **geometry):
        acc = np.array([sum(q - zero_point for q in window)])
        assert result[n, y, z, c] == requant.apply(acc)[0]


@given(_pools(), st.integers(-128, 127))
def test_global_average_is_an_average_over_everything(
    case: tuple[np.ndarray, dict], zero_point: int
) -> None:
    """The same as an average pool with one window."""
    x, _ = case
    area = x.shape[1] * x.shape[2]
    requant = Requant(single_rounding, single_rounding.constants(0.1, 1 / area, 0.1), 5)
    whole = intref.avg_pool2d(
        x,
        kernel=x.shape[1:3],
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        x_zero_point=zero_point,
        requant=requant,
    )
    result = intref.global_avg_pool(x, x_zero_point=zero_point, requant=requant)
    np.testing.assert_array_equal(result, whole[:, 0, 0, :])


def test_a_window_of_padding_alone_is_refused() -> None:
    """Padding as large as the window would leave a window without a value."""
    with pytest.raises(ShapeError, match="must be smaller than the pooling window"):
        intref.max_pool2d(
            np.zeros((1, 4, 4, 1), np.int8), kernel=(2, 2), stride=(1, 1), padding=(2, 0, 0, 0)
        )
