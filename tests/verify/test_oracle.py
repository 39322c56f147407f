"""What every oracle promises."""

from __future__ import annotations

import importlib.metadata

import pytest

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.verify import dialects, oracles


@pytest.mark.parametrize("name", oracles.NAMES)
def test_an_oracle_knows_what_it_needs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the name it is asked for by; without its package there is no version, and no crash."""
    oracle = oracles.get_oracle(name)
    assert oracle.name == name

    def missing(package: str) -> str:
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert oracle.version() is None or oracle.package == "kdq_ref"


def test_unknown_names_list_the_known_ones() -> None:
    """Of oracles and of dialects."""
    with pytest.raises(InvalidArgumentError, match="unknown runtime 'tvm'; choose one of kdq, on"):
        oracles.get_oracle("tvm")
    with pytest.raises(InvalidArgumentError, match="unknown dialect 'tvm'; choose one of "):
        dialects.get_dialect("tvm")


@pytest.mark.parametrize("name", dialects.NAMES)
def test_every_dialect_names_a_runtime_and_explains_itself(name: str) -> None:
    """Its runtime is an oracle, and each operator has a note."""
    dialect = dialects.get_dialect(name)
    assert dialect.name == name
    assert dialect.runtime == "" or dialect.runtime in oracles.NAMES
    assert set(dialect.operators) <= set(dialect.notes)
