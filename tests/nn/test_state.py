"""Strict states."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref.errors import DTypeError, InvalidArgumentError, ShapeError
from kdq_ref.nn.state import check_state

LIVE = {"a.w": np.zeros((2, 3), np.float32), "a.b": np.zeros(3, np.float32)}


def test_a_matching_state_passes():
    """In the order of the live arrays."""
    state = {"a.b": np.ones(3, np.float32), "a.w": np.ones((2, 3), np.float32)}
    assert list(check_state(state, LIVE)) == ["a.w", "a.b"]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"a.b": None}, InvalidArgumentError, r"missing \['a.b'\]"),
        ({"c.w": np.zeros(1)}, InvalidArgumentError, r"unexpected \['c.w'\]"),
        ({"a.w": np.zeros((3, 2), np.float32)}, ShapeError, r"a\.w"),
        ({"a.b": np.zeros(3)}, DTypeError, r"a\.b"),
    ],
)
def test_faults(change, error, message):
    """Each names the key."""
    state = {key: value for key, value in (LIVE | change).items() if value is not None}
    with pytest.raises(error, match=message):
        check_state(state, LIVE)
