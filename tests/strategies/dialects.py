"""Dialects beside their runtimes, and networks of a node or two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kdq_ref import kernels
from kdq_ref.verify.check import check
from kdq_ref.verify.dialect import AVX2
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.network import Encoding, Network, Node, Weight
from kdq_ref.verify.oracle import Oracle
from kdq_ref.verify.oracles import get_oracle


def installed(name: str) -> Oracle:
    """The oracle of that name; without its runtime the test is skipped, and says why."""
    oracle = get_oracle(name)
    if oracle.version() is None:
        pytest.skip(f"{oracle.package} is not installed: pip install '.[oracles]'")
    return oracle


def agrees(name: str, operator: str, outputs: int = 50_000, seed: int = 4) -> None:
    """Assert that a dialect equals its runtime in every output of many samples."""
    dialect = get_dialect(name)
    (row,) = check(dialect, installed(dialect.runtime), (operator,), outputs=outputs, seed=seed)
    if "this processor has" in row.note:
        pytest.skip(row.note)
    assert row.outputs >= outputs, row.note
    assert row.mismatches == 0, row.note


def same_as_the_runtime(name: str, network: Network, inputs: dict[str, np.ndarray]) -> None:
    """Assert that a run equals the runtime; skip where the dialect is of another processor."""
    dialect = get_dialect(name)
    oracle = installed(dialect.runtime)
    if dialect.processor == AVX2 and kernels.isa_report().cpu_features != ("AVX2",):
        pytest.skip(f"the dialect describes {dialect.processor}")
    expected = dialect.run(network, inputs)
    for value, answer in oracle.run(network, inputs).items():
        np.testing.assert_array_equal(expected[value], answer)


def dense_network(
    weight: np.ndarray,
    *,
    scale: float = 1.0,
    source: Encoding | None = None,
    output: Encoding | None = None,
    **fields: Any,
) -> Network:
    """One dense layer; by default every scale is 1 and every zero point 0."""
    node = Node(
        "y",
        "dense",
        ("x",),
        output or Encoding("int8"),
        weight=Weight(np.asarray(weight, np.int8), np.full(1, scale, np.float32)),
        **fields,
    )
    return Network({"x": source or Encoding("int8")}, {"x": (len(weight),)}, (node,), "y")
