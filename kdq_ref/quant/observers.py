"""Observers: which range of real values a quantized activation should cover.

Each sees a value batch by batch and keeps a few numbers. All are deterministic.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kdq_ref.checks import check_in_range
from kdq_ref.errors import InvalidArgumentError, NotFiniteError, ShapeError

_ZERO_EXPONENT = -1074
"""Of the smallest float64: zeros alone say nothing about the width of bins."""


class Observer:
    """Base of all observers: collects batches, then names a range."""

    def __init__(self) -> None:
        self._low: float | None = None
        self._high: float | None = None

    def observe(self, x: np.ndarray) -> None:
        """Take a batch of real values into account.

        Parameters
        ----------
        x : ndarray
            Finite, of any shape, not empty.

        Raises
        ------
        ShapeError, NotFiniteError
        """
        if x.size == 0:
            raise ShapeError(f"cannot observe an empty array of shape {x.shape}")
        low, high = float(x.min()), float(x.max())  # a NaN anywhere makes both NaN
        if not (math.isfinite(low) and math.isfinite(high)):
            raise NotFiniteError(f"cannot observe values between {low} and {high}")
        self._update(x, low, high)

    def range(self) -> tuple[float, float]:
        """Return ``(lo, hi)``, the range to cover.

        Raises
        ------
        InvalidArgumentError
            Before anything was observed.
        """
        if self._low is None or self._high is None:
            raise InvalidArgumentError("nothing was observed: give at least one batch")
        return self._low, self._high

    def settings(self) -> dict[str, Any]:
        """Return what distinguishes this observer from others of its class (JSON-able)."""
        return {}

    def _update(self, x: np.ndarray, low: float, high: float) -> None:
        raise NotImplementedError


class MinMax(Observer):
    """Everything that was seen, from the smallest to the largest value."""

    def _update(self, x: np.ndarray, low: float, high: float) -> None:
        self._low = low if self._low is None else min(self._low, low)
        self._high = high if self._high is None else max(self._high, high)


class MovingAverage(Observer):
    """Exponential moving average of the batches' extremes.

    Starts at the first batch; then ``lo += momentum * (batch_lo - lo)``, and so ``hi`` (Jacob et
    al. 2018, arXiv:1712.05877, section 3.1). The order of the batches matters.

    Parameters
    ----------
    momentum : float
        Weight of a new batch, in (0, 1].
    """

    def __init__(self, momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = float(check_in_range("momentum", momentum, np.nextafter(0.0, 1.0), 1.0))

    def settings(self) -> dict[str, Any]:
        return {"momentum": self.momentum}

    def _update(self, x: np.ndarray, low: float, high: float) -> None:
        if self._low is None or self._high is None:
            self._low, self._high = low, high
        self._low += self.momentum * (low - self._low)
        self._high += self.momentum * (high - self._high)


class Percentile(Observer):
    r"""Leave out the most extreme values at either end.

    Of n values, ``hi`` has at least ``ceil(percentile / 100 * n)`` at or below it, ``lo`` as many
    at or above it.

    Parameters
    ----------
    percentile : float
        In [50, 100]; 100 is :class:`MinMax`.

    Notes
    -----
    Values are counted in 8192 bins over :math:`[-2^k, 2^k)`, where :math:`2^k` is the smallest
    power of two above every magnitude seen. When a batch needs a larger k, neighbouring bins are
    merged in pairs; since the edges of coarse bins are edges of fine ones, the result depends
    neither on the order of the values nor on how they were batched. An end of the range lies
    outwards of the exact order statistic by at most one bin, ``max|x| / 2048``, and never beyond
    the values seen.
    """

    BINS = 8192
    RESOLUTION = 1 / 2048
    """Width of a bin relative to the largest magnitude seen: at most this."""

    def __init__(self, percentile: float = 99.99) -> None:
        super().__init__()
        self.percentile = float(check_in_range("percentile", percentile, 50.0, 100.0))
        self._counts = np.zeros(self.BINS, np.int64)
        self._exponent = 0
        self._extremes = MinMax()

    def settings(self) -> dict[str, Any]:
        return {"percentile": self.percentile}

    def range(self) -> tuple[float, float]:
        low, high = self._extremes.range()
        total = int(self._counts.sum())
        inside = max(1, math.ceil(self.percentile / 100 * total))
        below = int(np.searchsorted(np.cumsum(self._counts), inside))
        above = int(np.searchsorted(np.cumsum(self._counts[::-1]), inside))
        return max(low, self._edge(self.BINS - 1 - above)), min(high, self._edge(below + 1))

    def _edge(self, index: int) -> float:
        """Lower edge of a bin."""
        return math.ldexp((index - self.BINS // 2) / (self.BINS // 2), self._exponent)

    def _update(self, x: np.ndarray, low: float, high: float) -> None:
        self._extremes.observe(x)
        largest = max(-low, high)
        needed = math.frexp(largest)[1] if largest else _ZERO_EXPONENT
        if not self._counts.any():
            self._exponent = needed
        while self._exponent < needed:
            self._merge()
        position = np.ldexp(x.astype(np.float64).ravel(), -self._exponent) * (self.BINS // 2)
        index = np.floor(position).astype(np.int64) + self.BINS // 2
        self._counts += np.bincount(index, minlength=self.BINS)

    def _merge(self) -> None:
        quarter = self.BINS // 4
        pairs = self._counts.reshape(-1, 2).sum(axis=1)
        self._counts = np.pad(pairs, quarter)
        self._exponent += 1


OBSERVERS: dict[str, type[Observer]] = {
    "minmax": MinMax,
    "moving_average": MovingAverage,
    "percentile": Percentile,
}
"""Every observer class by name."""
