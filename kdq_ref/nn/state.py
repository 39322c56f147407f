"""Strict matching of a saved state against the arrays it should fill."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kdq_ref.checks import check_array
from kdq_ref.errors import InvalidArgumentError


def check_state(
    state: Mapping[str, np.ndarray], live: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return `state` if it has exactly the keys, shapes and dtypes of `live`.

    Raises
    ------
    InvalidArgumentError
        Missing or unexpected keys.
    ShapeError, DTypeError
        Naming the key.
    """
    missing = sorted(live.keys() - state.keys())
    unexpected = sorted(state.keys() - live.keys())
    if missing or unexpected:
        raise InvalidArgumentError(
            f"the state does not belong to this network: missing {missing}, unexpected {unexpected}"
        )
    return {
        key: check_array(key, state[key], dtype=value.dtype, shape=value.shape)
        for key, value in live.items()
    }
