"""Our own networks under any rule."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from strategies.dialects import dense_network

from kdq_ref.errors import InvalidArgumentError, UnsupportedError
from kdq_ref.rounding import RULES
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.dialects.kdq_rules import RULE_NAMES, dialect_or_rule, under


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("single_rounding", [-2, -1, 0, 1, 2, 3]),
        ("double_rounding", [-3, -2, -1, 1, 2, 3]),
        ("float32_rne", [-2, -2, 0, 0, 2, 2]),
    ],
)
def test_ties_go_where_the_rule_takes_them(rule: str, expected: list[int]) -> None:
    """Five halves, three halves, one half, on both sides of zero."""
    network = dense_network(np.ones((1, 1)), scale=0.25)
    x = np.array([[-10], [-6], [-2], [2], [6], [10]], np.int8)
    assert under(rule).run(network, {"x": x})["y"][:, 0].tolist() == expected


def test_names() -> None:
    """A dialect by its name, our own by a rule's; the default rule changes nothing."""
    assert dialect_or_rule("onnxruntime").name == "onnxruntime"
    assert [dialect_or_rule(name).name for name in RULE_NAMES] == list(RULE_NAMES)
    network, x = dense_network(np.ones((1, 1)), scale=0.3), np.arange(-9, 9, dtype=np.int8)[:, None]
    ours = (under("single_rounding"), get_dialect("kdq"))
    assert_array_equal(*(dialect.run(network, {"x": x})["y"] for dialect in ours))
    with pytest.raises(InvalidArgumentError, match="unknown rounding rule"):
        dialect_or_rule("banker")


def test_a_real_bias_is_refused() -> None:
    """Integer networks have integer biases."""
    assert set(RULES) - set(RULE_NAMES) == {"fbgemm"}
    with pytest.raises(UnsupportedError, match="keeps the bias real"):
        under("fbgemm")
