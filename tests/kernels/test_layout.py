"""Values that live at the same time never share a byte, and dead ones are reused."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.kernels.layout import Lifetime, first_fit, lifetimes

LIVES = st.builds(
    lambda size, first, length: Lifetime(size, first, first + length),
    st.integers(0, 50),
    st.integers(0, 12),
    st.integers(0, 6),
)


@given(st.lists(LIVES, max_size=20))
def test_living_values_never_overlap(lives: list[Lifetime]) -> None:
    """Two values share bytes only if no operation sees both; all lie inside the total."""
    offsets, total = first_fit(lives)
    for (a, at), (b, bt) in itertools.combinations(zip(lives, offsets, strict=True), 2):
        if a.overlaps(b):
            assert at + a.size <= bt or bt + b.size <= at
    assert all(at >= 0 and at + a.size <= total for a, at in zip(lives, offsets, strict=True))
    busiest = max(
        (sum(a.size for a in lives if a.first <= t <= a.last) for t in range(20)), default=0
    )
    assert busiest <= total <= sum(a.size for a in lives)


def test_a_chain_needs_its_largest_neighbours() -> None:
    """In a chain only input and output of one operation live together."""
    operations = [((value,), value + 1) for value in range(4)]
    offsets, total = first_fit(lifetimes([10, 40, 30, 20, 7], operations, outside=4))
    assert total == 70
    assert len(offsets) == 5


def test_a_residual_value_outlives_its_neighbours() -> None:
    """A value read again later keeps its bytes until then; the outside one needs none."""
    operations = [((0,), 1), ((1,), 2), ((1, 2), 3)]
    assert lifetimes([5, 6, 7, 8], operations, outside=3) == [
        Lifetime(5, -1, 0),
        Lifetime(6, 0, 2),
        Lifetime(7, 1, 2),
        Lifetime(0, 2, 2),
    ]
