"""Untrusted JSON becomes a record, or an error."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.train.records import decode, differences

FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


@dataclass(frozen=True)
class Record:
    """One field of every kind."""

    count: int
    value: float
    maybe: float | None


@given(st.builds(Record, st.integers(), FINITE, st.none() | FINITE))
def test_round_trip(record: Record) -> None:
    """Through JSON and back, exactly."""
    assert decode(Record, json.loads(json.dumps(dataclasses.asdict(record)))) == record


@pytest.mark.parametrize(
    "value",
    [
        None,
        [1, 2.0, None],
        {"count": 1, "value": 2.0},
        {"count": 1, "value": 2.0, "maybe": None, "more": 1},
        {"count": True, "value": 2.0, "maybe": None},
        {"count": 1.0, "value": 2.0, "maybe": None},
        {"count": 1, "value": 2, "maybe": None},
        {"count": 1, "value": None, "maybe": None},
        {"count": 1, "value": 1e999, "maybe": None},
        {"count": 1, "value": 2.0, "maybe": "3"},
    ],
)
def test_anything_else_is_refused(value: Any) -> None:
    """Missing, extra, wrongly typed or infinite values are errors."""
    with pytest.raises(ValueError, match="Record"):
        decode(Record, value)


@given(JSON, JSON)
def test_differences_are_found(a: Any, b: Any) -> None:
    """Equal values have none, different ones have some, whichever way round."""
    assert differences(a, a) == []
    equal = json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
    # A key that is missing and one that is null are alike, in settings that is no difference.
    if not equal and "null" not in json.dumps([a, b]):
        assert differences(a, b)
        assert len(differences(a, b)) == len(differences(b, a))


def test_differences_are_named() -> None:
    """By path, with both values, cut where they are long."""
    stored = {"config": {"lr": 0.1, "shape": [1, 2]}, "same": 1, "long": "x" * 100}
    asked = {"config": {"lr": 0.2, "shape": [1, 3]}, "same": 1.0, "new": True}
    assert differences(stored, asked) == [
        "config.lr: 0.1 there, 0.2 here",
        "config.shape[1]: 2 there, 3 here",
        f"long: {repr('x' * 100)[:57]}... there, None here",
        "new: None there, True here",
    ]
