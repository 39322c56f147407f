"""Schedules at their boundaries."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref import optim
from kdq_ref.errors import DTypeError, RangeError

rates = st.floats(1e-6, 10)
lengths = st.integers(2, 1000)


def test_constant():
    """The same at every step."""
    assert {optim.constant(0.3)(step) for step in (0, 1, 10**9)} == {0.3}


@given(rates, st.integers(1, 100), st.floats(0.1, 1))
def test_step(lr, every, gamma):
    """Changes exactly at multiples of `every`."""
    rate = optim.step(lr, every, gamma)
    assert rate(0) == rate(every - 1) == lr
    assert rate(every) == rate(2 * every - 1) == pytest.approx(lr * gamma)
    assert rate(2 * every) == pytest.approx(lr * gamma**2)


@given(rates, lengths, st.data())
def test_cosine(lr, steps, data):
    """Rises in equal steps to `lr` at `warmup`, halfway down in the middle, stays at `final`."""
    warmup = data.draw(st.integers(0, steps - 1))
    final = data.draw(st.floats(0, lr))
    rate = optim.cosine(lr, steps, warmup=warmup, final=final)
    assert rate(warmup) == pytest.approx(lr)
    assert rate(steps) == rate(steps + 1000) == pytest.approx(final)
    for step in range(min(warmup, 5)):
        assert rate(step) == pytest.approx(lr * (step + 1) / (warmup + 1))
    if (steps - warmup) % 2 == 0:
        assert rate((steps + warmup) // 2) == pytest.approx((lr + final) / 2)
    falling = [rate(step) for step in range(warmup, steps + 1)]
    assert all(a >= b for a, b in itertools.pairwise(falling))


@given(rates, lengths, st.floats(0.05, 0.95))
def test_one_cycle(lr, steps, rise):
    """Starts at lr / 25, peaks next to `rise * steps`, ends at lr / 25 / 1e4 and stays there."""
    rate = optim.one_cycle(lr, steps, rise=rise)
    assert rate(0) == pytest.approx(lr / 25)
    assert rate(steps) == rate(steps + 1000) == pytest.approx(lr / 25 / 1e4)
    values = [rate(step) for step in range(steps + 1)]
    peak = values.index(max(values))
    assert abs(peak - rise * steps) < 1
    assert max(values) <= lr * (1 + 1e-12)
    assert values[: peak + 1] == sorted(values[: peak + 1])
    assert values[peak:] == sorted(values[peak:], reverse=True)


def test_one_cycle_by_hand():
    """Ten steps, peak at 4, divisors 10 and 100."""
    rate = optim.one_cycle(1.0, 10, rise=0.4, initial_divisor=10, final_divisor=100)
    assert rate(2) == pytest.approx(0.55)
    assert rate(4) == pytest.approx(1.0)
    assert rate(7) == pytest.approx((1 + 1e-3) / 2)
    assert rate(1) == pytest.approx(0.1 + 0.9 * (1 - math.cos(math.pi / 4)) / 2)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: optim.constant(-1.0), RangeError),
        (lambda: optim.constant(float("nan")), RangeError),
        (lambda: optim.step(0.1, 0), RangeError),
        (lambda: optim.step(0.1, 2, 1.5), RangeError),
        (lambda: optim.cosine(0.1, 10, warmup=10), RangeError),
        (lambda: optim.cosine(0.1, 0), RangeError),
        (lambda: optim.cosine(0.1, 1.5), DTypeError),
        (lambda: optim.one_cycle(0.1, 10, rise=0.0), RangeError),
        (lambda: optim.one_cycle(0.1, 10, rise=1.0), RangeError),
        (lambda: optim.one_cycle(0.1, 10, final_divisor=0.5), RangeError),
    ],
)
def test_ranges(make, error):
    """Schedules that go nowhere are refused when they are made."""
    with pytest.raises(error):
        make()
