"""Names of things that live in modules of their own, imported when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from kdq_ref.errors import InvalidArgumentError


def load(kind: str, name: str, package: str, modules: Mapping[str, str], table: str) -> Any:
    """Return ``table[name]`` of the module of ``package`` that ``modules`` names.

    Parameters
    ----------
    kind : str
        What it is, in messages.
    name : str
    package : str
    modules : mapping of str to str
        The module of every known name.
    table : str
        The module's mapping of names.

    Raises
    ------
    InvalidArgumentError
        For an unknown name; the message lists the known ones.
    """
    if name not in modules:
        raise InvalidArgumentError(f"unknown {kind} {name!r}; choose one of {', '.join(modules)}")
    return getattr(importlib.import_module(f"{package}.{modules[name]}"), table)[name]
