"""Why two dialects differ where the exact real result is known."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.network import Encoding, Network, Node
from kdq_ref.verify.parting import first_parting
from kdq_ref.verify.parting_real import exact_steps, explain_real

_HALF = Encoding("int8", 0.5, 1)


def _single(operator: str, shape: tuple[int, ...], count: int = 1, **fields: object) -> Network:
    names = ("a", "b")[:count]
    node = Node("y", operator, names, Encoding("int8", 2.0, 3), **fields)
    return Network(dict.fromkeys(names, _HALF), dict.fromkeys(names, shape), (node,), "y")


@pytest.mark.parametrize(
    ("operator", "count", "expected"),
    [
        ("add", 2, Fraction(2 - 6, 4)),
        ("mul", 2, Fraction(2 * -6, 8)),
        ("relu", 1, Fraction(1, 2)),
        ("relu6", 1, Fraction(1, 2)),
    ],
)
def test_the_exact_result(operator: str, count: int, expected: Fraction) -> None:
    """By hand, from codes 3 and -5, whose reals are 1 and -3, in steps of 2."""
    network = _single(operator, (1,), count)
    inputs = {"a": np.array([[3]], np.int8), "b": np.array([[-5]], np.int8)}
    assert exact_steps(network, network.nodes[0], inputs, (0, 0)) == expected


def test_means_of_windows() -> None:
    """Padding is left out; a global mean takes all."""
    x = {"a": np.array([[[[3], [5]], [[7], [9]]]], np.int8)}
    network = _single("avg_pool2d", (2, 2, 1), kernel=(2, 2), padding=(1, 0, 0, 0))
    node = network.nodes[0]
    assert exact_steps(network, node, x, (0, 0, 0, 0)) == Fraction(2 + 4, 2) * Fraction(1, 4)
    assert exact_steps(network, node, x, (0, 1, 0, 0)) == Fraction(20, 4) * Fraction(1, 4)
    network = _single("global_avg_pool", (2, 2, 1))
    assert exact_steps(network, network.nodes[0], x, (0, 0)) == Fraction(20, 4) * Fraction(1, 4)


def test_functions_and_what_is_unknown() -> None:
    """tanh of 1 in steps of 2; a softmax is not worked out."""
    network, x = _single("tanh", (1,)), {"a": np.array([[3]], np.int8)}
    found = exact_steps(network, network.nodes[0], x, (0, 0))
    assert float(found) == pytest.approx(np.tanh(1) / 2, abs=1e-15)
    network = _single("softmax", (1,))
    assert exact_steps(network, network.nodes[0], x, (0, 0)) is None
    both = (get_dialect("onnxruntime"), get_dialect("kdq"))
    outputs = (np.array([[4]], np.int8), np.array([[5]], np.int8))
    _, reasons = explain_real(network, network.nodes[0], both, x, outputs, (0, 0))
    assert reasons == ("softmax: its codes are 4 and 5",)


def test_a_tie_in_a_mean_and_where_it_went() -> None:
    """Codes 1 and 2 have the mean 1.5: an odd zero point inside the rounding takes it down."""
    one = Encoding("int8", 1.0, 0)
    node = Node("y", "avg_pool2d", ("x",), Encoding("int8", 1.0, 1), kernel=(1, 2))
    network = Network({"x": one}, {"x": (1, 2, 1)}, (node,), "y")
    x = np.array([[[[1], [2]]]], np.int8)
    parting, _ = first_parting(network, get_dialect("kdq"), get_dialect("onnxruntime"), x)
    assert parting is not None
    assert parting.codes == (3, 2)
    assert "kdq: 1.5 is a tie and goes to 2 (to even, or up, or away from zero)" in parting.reasons
    assert "to even after the zero point 1 was added" in parting.reasons[1]


def test_an_error_of_arithmetic_is_measured() -> None:
    """No tie: the code that is not the nearest is told, with how far the steps erred at least."""
    network, x = _single("tanh", (1,)), {"a": np.array([[3]], np.int8)}
    both = (get_dialect("onnxruntime"), get_dialect("kdq"))
    outputs = (np.array([[3]], np.int8), np.array([[5]], np.int8))
    numbers, (reason,) = explain_real(network, network.nodes[0], both, x, outputs, (0, 0))
    assert numbers["a there"] == "3"
    assert reason.startswith("kdq makes 5 of 0.380797078 + 3, whose nearest code is 3")
    assert "at least 1.12" in reason
