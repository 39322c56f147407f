"""Which images a command works on: the first, or drawn."""

from __future__ import annotations

import click
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.cli.sample import choose, remark

SEEDS = st.integers(0, 2**70)


@given(st.integers(0, 300), st.integers(1, 400))
def test_without_a_seed_the_first(available: int, count: int) -> None:
    """The first ones in their order, at most all of them."""
    wanted = list(range(available))[:count]
    assert choose(available, count, None, option="--count").tolist() == wanted


@given(SEEDS, st.integers(2, 300), st.data())
def test_a_seed_draws_without_repetition(seed: int, available: int, data: st.DataObject) -> None:
    """So many, distinct, in range, in the order of the file, and the same at every call."""
    count = data.draw(st.integers(1, available - 1))
    drawn = choose(available, count, seed, option="--count")
    assert drawn.shape == (count,)
    assert drawn[0] >= 0
    assert drawn[-1] < available
    assert (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(drawn, choose(available, count, seed, option="--count"))


@given(SEEDS, st.integers(1, 79), st.integers(1, 79))
def test_fewer_images_are_a_subset(seed: int, a: int, b: int) -> None:
    """With one seed, the smaller choice is contained in the larger one."""
    small, large = (
        set(choose(80, count, seed, option="--count").tolist()) for count in sorted((a, b))
    )
    assert small <= large


def test_seeds_draw_differently() -> None:
    """Every image is drawn by some seed, and hardly two seeds draw the same."""
    draws = [tuple(choose(30, 10, seed, option="--count")) for seed in range(50)]
    assert len(set(draws)) == 50
    assert {number for draw in draws for number in draw} == set(range(30))


def test_a_draw_never_changes() -> None:
    """Files name the seed only, so it must mean these images for ever."""
    assert choose(1097, 6, 0, option="--samples").tolist() == [164, 589, 645, 691, 951, 995]


@pytest.mark.parametrize(("available", "count"), [(1, 1), (9, 9), (9, 10), (0, 3)])
def test_all_images_are_no_draw(available: int, count: int) -> None:
    """A seed that would change nothing is wrong usage; the message says what to do."""
    with pytest.raises(click.UsageError, match=rf"\({available}\).* smaller --samples, or leave"):
        choose(available, count, 0, option="--samples")


def test_a_draw_says_its_seed() -> None:
    """Tables say where images come from only where the seed decided it."""
    assert remark(None) == ""
    assert remark(7) == ", drawn with seed 7"
