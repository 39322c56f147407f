"""Geometries of windows, and inputs on which gradients exist."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from kdq_ref.geometry import Padding, Pair, effective_kernel, window_output

generators = st.integers(0, 2**32 - 1).map(np.random.default_rng)
"""Seeded generators: arrays are drawn from these, far faster than element by element."""


@dataclass(frozen=True)
class Geometry:
    """A window that fits an image."""

    size: Pair
    kernel: Pair
    stride: Pair
    padding: Padding
    dilation: Pair

    @property
    def output(self) -> Pair:
        """Height and width of the result."""
        return window_output(self.size, self.kernel, self.stride, self.padding, self.dilation)


@st.composite
def geometries(
    draw: st.DrawFn, *, dilated: bool = True, max_padding: int | None = None, room: int = 3
) -> Geometry:
    """Kernels, strides, dilations and asymmetric paddings, and an image around them.

    Parameters
    ----------
    max_padding : int, optional
        By default less than the kernel, as pooling needs it; windows may lie in padding alone
        where this is larger.
    room : int
        How far the image may exceed the smallest one that fits.
    """
    kernel = draw(st.tuples(*[st.integers(1, 3)] * 2))
    stride = draw(st.tuples(*[st.integers(1, 3)] * 2))
    dilation = draw(st.tuples(*[st.integers(1, 2 if dilated else 1)] * 2))
    limits = [k - 1 if max_padding is None else max_padding for k in kernel]
    vertical = draw(st.tuples(*[st.integers(0, limits[0])] * 2))
    horizontal = draw(st.tuples(*[st.integers(0, limits[1])] * 2))
    extent = effective_kernel(kernel, dilation)
    size = tuple(
        max(1, extent[axis] - sum(padding)) + draw(st.integers(0, room))
        for axis, padding in enumerate((vertical, horizontal))
    )
    return Geometry(size, kernel, stride, (*vertical, *horizontal), dilation)


def without_ties(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Distinct values, at least 0.01 apart, in random order."""
    count = int(np.prod(shape))
    return 0.01 * rng.permutation(count).reshape(shape).astype(np.float64)


def away_from(
    rng: np.random.Generator, shape: tuple[int, ...], kinks: tuple[float, ...]
) -> np.ndarray:
    """Values around and beyond the kinks, none within 0.01 of one."""
    x = rng.uniform(min(kinks) - 2, max(kinks) + 2, shape)
    for kink in kinks:
        x = np.where(np.abs(x - kink) < 0.01, kink + 0.02, x)
    return x
