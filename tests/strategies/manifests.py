"""Manifests with one value replaced or removed."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

_GARBAGE = (None, -1, 0, 2**40, 0.5, 1e308, "x", [], {}, True, [2**70], {"a": 10**400}, [[[]]])


@st.composite
def edited(draw: st.DrawFn, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a copy in which any one part, however deep, is garbage or gone."""
    result = copy.deepcopy(manifest)
    *path, last = draw(st.sampled_from(_places(result, ())))
    holder: Any = result
    for key in path:
        holder = holder[key]
    if draw(st.booleans()):
        # Copied, because some of it can be changed.
        holder[last] = copy.deepcopy(draw(st.sampled_from(_GARBAGE)))
    else:
        del holder[last]
    return result


def _places(value: Any, here: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Where a JSON value has parts, itself included (but for the outermost)."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    return [here] * bool(here) + [p for key, part in inner for p in _places(part, (*here, key))]
