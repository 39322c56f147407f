"""Observers: ranges of streams of values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kdq_ref.errors import InvalidArgumentError, NotFiniteError, RangeError, ShapeError
from kdq_ref.quant.observers import OBSERVERS, MinMax, MovingAverage, Observer, Percentile

_VALUES = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 1e-30, -4.0]),
)
_BATCHES = st.lists(
    hnp.arrays(np.float32, hnp.array_shapes(max_dims=2, max_side=8), elements=_VALUES),
    min_size=1,
    max_size=5,
)


def _range(observer: Observer, batches: list[np.ndarray]) -> tuple[float, float]:
    for batch in batches:
        observer.observe(batch)
    return observer.range()


@given(_BATCHES)
def test_minmax_is_the_extremes_of_everything(batches: list[np.ndarray]) -> None:
    """Batching does not matter to minimum and maximum."""
    values = np.concatenate([batch.ravel() for batch in batches])
    assert _range(MinMax(), batches) == (values.min(), values.max())


@given(_BATCHES, st.floats(0.01, 1))
def test_moving_average_follows_its_recurrence(batches: list[np.ndarray], momentum: float) -> None:
    """The first batch starts it, each later one moves it by momentum."""
    low, high = float(batches[0].min()), float(batches[0].max())
    for batch in batches[1:]:
        low = low + momentum * (float(batch.min()) - low)
        high = high + momentum * (float(batch.max()) - high)
    assert _range(MovingAverage(momentum), batches) == (low, high)


@given(_BATCHES)
def test_percentile_100_is_minmax(batches: list[np.ndarray]) -> None:
    """Leaving out nothing gives the exact extremes, whatever the bins."""
    assert _range(Percentile(100), batches) == _range(MinMax(), batches)


@given(_BATCHES, st.floats(50, 100))
def test_percentile_is_an_order_statistic_within_one_bin(
    batches: list[np.ndarray], percentile: float
) -> None:
    """Each end lies outwards of the exact order statistic by at most the stated resolution."""
    values = np.sort(np.concatenate([b.ravel() for b in batches]).astype(np.float64))
    inside = max(1, math.ceil(percentile / 100 * len(values)))
    bin_width = Percentile.RESOLUTION * np.abs(values).max()
    low, high = _range(Percentile(percentile), batches)
    assert values[inside - 1] <= high <= values[inside - 1] + bin_width
    assert values[-inside] - bin_width <= low <= values[-inside]


@given(_BATCHES, st.floats(50, 100), st.randoms(use_true_random=False))
def test_percentile_does_not_depend_on_order(
    batches: list[np.ndarray], percentile: float, random: object
) -> None:
    """Merged bins count what the coarse bins would have counted: to the bit."""
    values = np.concatenate([batch.ravel() for batch in batches])
    shuffled = values.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    expected = _range(Percentile(percentile), [values])
    assert _range(Percentile(percentile), batches) == expected
    assert _range(Percentile(percentile), [shuffled[i : i + 1] for i in range(len(values))]) == (
        expected
    )


def test_percentile_cuts_an_outlier() -> None:
    """One wild value in ten thousand does not reach a 99.9 % range."""
    values = np.append(np.linspace(-1, 1, 9_999), 1000.0)
    low, high = _range(Percentile(99.9), [values])
    assert -1 <= low <= -0.99
    assert 0.99 <= high <= 1 + 1000 * Percentile.RESOLUTION


@pytest.mark.parametrize("name", OBSERVERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(name: str, bad: float) -> None:
    """NaN or infinity anywhere in a batch is an error, not a range."""
    with pytest.raises(NotFiniteError):
        OBSERVERS[name]().observe(np.array([0.0, bad, 1.0]))


@pytest.mark.parametrize("name", OBSERVERS)
def test_no_values_give_no_range(name: str) -> None:
    """An empty batch, or none at all, is an error."""
    with pytest.raises(ShapeError):
        OBSERVERS[name]().observe(np.zeros((0, 3)))
    with pytest.raises(InvalidArgumentError, match="at least one batch"):
        OBSERVERS[name]().range()


@pytest.mark.parametrize(
    ("cls", "bad"),
    [(MovingAverage, 0.0), (MovingAverage, 1.1), (Percentile, 49), (Percentile, 101)],
)
def test_settings_outside_their_range_are_refused(cls: type[Observer], bad: float) -> None:
    """Momentum is in (0, 1], a percentile in [50, 100]."""
    with pytest.raises(RangeError):
        cls(bad)  # type: ignore[call-arg]
