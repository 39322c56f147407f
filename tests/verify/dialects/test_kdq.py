"""Our own dialect."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import agrees, dense_network

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.network import Encoding, Network, Node


@pytest.mark.parametrize("operator", get_dialect("kdq").operators.keys() - {"flatten"})
def test_it_is_what_the_c_core_computes(operator: str) -> None:
    """Bit for bit, on the samples that other runtimes get."""
    agrees("kdq", operator, outputs=20_000)


def test_it_rounds_half_up() -> None:
    """-2.5 and 2.5 become -2 and 3."""
    network = dense_network([[1]], scale=0.5)
    codes = np.array([[-5], [5]], np.int8)
    assert get_dialect("kdq").run(network, {"x": codes})["y"].ravel().tolist() == [-2, 3]


def test_softmax_has_one_output() -> None:
    """Another scale is refused, and said."""
    node = Node("y", "softmax", ("x",), Encoding("int8", 1 / 128, -128))
    network = Network({"x": Encoding("int8")}, {"x": (2,)}, (node,), "y")
    with pytest.raises(UnsupportedError, match="output scale 1/256"):
        get_dialect("kdq").run(network, {"x": np.zeros((1, 2), np.int8)})
