"""Registries: the thing of that name, or the names there are."""

from __future__ import annotations

import pytest

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.verify import dialects, oracles
from kdq_ref.verify.registry import load


def test_every_name_is_found() -> None:
    """Under its own name; no runtime is imported for it."""
    assert [dialects.get_dialect(name).name for name in dialects.NAMES] == list(dialects.NAMES)
    assert [oracles.get_oracle(name).name for name in oracles.NAMES] == list(oracles.NAMES)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    """Before anything is imported."""
    with pytest.raises(InvalidArgumentError, match="unknown thing 'c'; choose one of a, b"):
        load("thing", "c", "no.such.package", {"a": "x", "b": "y"}, "THINGS")
