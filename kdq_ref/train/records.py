"""Flat dataclasses from untrusted JSON."""

from __future__ import annotations

import math
import typing
from typing import Any, TypeVar

T = TypeVar("T")


def decode(kind: type[T], value: Any) -> T:
    """Build the dataclass `kind`, whose fields are int, float, or float or None.

    Parameters
    ----------
    kind : dataclass
    value : object
        From a JSON parser.

    Raises
    ------
    ValueError
        Unless `value` is an object of exactly the fields, each of its type and finite.
    """
    hints = typing.get_type_hints(kind)
    if not isinstance(value, dict) or value.keys() != hints.keys():
        raise ValueError(f"a {kind.__name__} has exactly the keys {', '.join(hints)}")
    for name, hint in hints.items():
        found = value[name]
        allowed = typing.get_args(hint) or (hint,)
        if type(found) not in allowed or (isinstance(found, float) and not math.isfinite(found)):
            raise ValueError(f"{name} of a {kind.__name__} is {found!r}")
    return kind(**value)


def differences(stored: Any, asked: Any, where: str = "") -> list[str]:
    """List where two JSON values differ, one line each: ``"config.lr: 0.1 there, 0.2 here"``."""
    if isinstance(stored, dict) and isinstance(asked, dict):
        lines = []
        for key in sorted(stored.keys() | asked.keys()):
            inner = f"{where}.{key}" if where else key
            lines += differences(stored.get(key), asked.get(key), inner)
        return lines
    if isinstance(stored, list) and isinstance(asked, list) and len(stored) == len(asked):
        pairs = enumerate(zip(stored, asked, strict=True))
        return [line for n, (a, b) in pairs for line in differences(a, b, f"{where}[{n}]")]
    # 1 and 1.0 are one number, but True is not 1.
    same = stored == asked and isinstance(stored, bool) == isinstance(asked, bool)
    return [] if same else [f"{where}: {_short(stored)} there, {_short(asked)} here"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
