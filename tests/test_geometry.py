"""Window arithmetic against counting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref import geometry
from kdq_ref.errors import DTypeError, InvalidArgumentError, RangeError, ShapeError

small = st.integers(1, 5)


@given(st.integers(1, 12), small, small, st.integers(0, 3), st.integers(0, 3), small)
def test_window_output_counts_the_windows_that_fit(
    size: int, kernel: int, stride: int, before: int, after: int, dilation: int
) -> None:
    """As many start positions as keep the whole dilated window inside the padded axis."""
    extent = (kernel - 1) * dilation + 1
    starts = range(0, size + before + after - extent + 1, stride)
    arguments = (
        (size, size),
        (kernel, kernel),
        (stride, stride),
        (before, after, before, after),
        (dilation, dilation),
    )
    if not starts:
        with pytest.raises(ShapeError, match="does not fit"):
            geometry.window_output(*arguments)
    else:
        assert geometry.window_output(*arguments) == (len(starts), len(starts))


@given(st.integers(1, 12), st.sampled_from([1, 3, 5]), small)
def test_same_keeps_the_size_at_stride_one(size: int, kernel: int, dilation: int) -> None:
    """Odd effective kernels only."""
    kernels, dilations = (kernel, kernel), (dilation, dilation)
    padding = geometry.as_padding("same", kernels, dilations)
    output = geometry.window_output((size, size), kernels, (1, 1), padding, dilations)
    assert output == (size, size)


def test_every_way_of_saying_padding() -> None:
    """Strings, one number, two, four."""
    assert geometry.as_padding("valid", (3, 3)) == (0, 0, 0, 0)
    assert geometry.as_padding("same", (3, 5)) == (1, 1, 2, 2)
    assert geometry.as_padding(2, (3, 3)) == (2, 2, 2, 2)
    assert geometry.as_padding((1, 2), (3, 3)) == (1, 1, 2, 2)
    assert geometry.as_padding([0, 1, 2, 3], (3, 3)) == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("same", InvalidArgumentError),  # the kernel is even
        ("full", InvalidArgumentError),
        (-1, RangeError),
        ((1, 2, 3), ShapeError),
        (0.5, DTypeError),
    ],
)
def test_padding_that_means_nothing(value: object, error: type) -> None:
    """Each is a typed error."""
    with pytest.raises(error):
        geometry.as_padding(value, (2, 2))


def test_pairs() -> None:
    """One number stands for both axes."""
    assert geometry.as_pair("stride", 2) == (2, 2)
    assert geometry.as_pair("stride", (1, 2)) == (1, 2)
    with pytest.raises(ShapeError, match="stride"):
        geometry.as_pair("stride", (1, 2, 3))
    with pytest.raises(RangeError):
        geometry.as_pair("stride", 0)
