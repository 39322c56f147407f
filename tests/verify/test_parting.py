"""Where two dialects part first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies.int_networks import scaled_network

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.dialects.kdq_rules import under
from kdq_ref.verify.int_network import network_of
from kdq_ref.verify.network import Encoding, Network, Node, Weight, store
from kdq_ref.verify.parting import REAL, first_parting, with_real_input


def _two_layers() -> Network:
    """Halves, twice: ties in both layers."""
    weight = Weight(np.ones((1, 1), np.int8), np.full(1, 0.5, np.float32))
    nodes = (
        Node("first", "dense", ("x",), Encoding("int8"), weight=weight),
        Node("second", "dense", ("first",), Encoding("int8"), weight=weight),
    )
    return Network({"x": Encoding("int8")}, {"x": (1,)}, nodes, "second")


@pytest.mark.parametrize(("code", "value"), [(1, "first"), (2, "second"), (4, None)])
def test_the_first_value_is_named(code: int, value: str | None) -> None:
    """1/2 parts in the first layer, 2/2/2 in the second, 4/2/2 nowhere."""
    x = np.array([[0], [code]], np.int8)
    parting, outcome = first_parting(
        _two_layers(), under("single_rounding"), under("float32_rne"), x
    )
    assert (None if parting is None else parting.value) == value
    if parting is not None:
        assert parting.element == (1, 0)
        assert parting.codes == (1, 0)
        assert (parting.differing, parting.elements) == (1, 2)
    assert outcome["elements"] == 2


def test_the_second_dialect_goes_on_from_the_first() -> None:
    """What differs before does not count again: only the first layer is reported."""
    x = np.array([[5]], np.int8)
    parting, outcome = first_parting(
        _two_layers(), under("single_rounding"), under("float32_rne"), x
    )
    assert parting is not None
    assert parting.value == "first"
    assert parting.codes == (3, 2)
    assert outcome == {"differing": 1, "elements": 1, "classes_changed": 0}


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.sampled_from(["float32_rne", "double_rounding", "onnxruntime"]))
def test_a_parting_is_one_and_what_comes_before_is_not(seed: int, name: str) -> None:
    """Against both dialects run from the start: equal before the parting, different there."""
    network = network_of(scaled_network(seed))
    a = under("single_rounding")
    b = get_dialect(name) if name == "onnxruntime" else under(name)
    x = np.random.default_rng(seed).integers(-128, 128, (4, 6, 5, 3)).astype(np.int8)
    parting, outcome = first_parting(network, a, b, x)
    ours = a.run(network, {"input": x})
    theirs = b.run(network.stored_as(b.storage), {"input": store(x, b.storage)})
    theirs = {key: store(value, "int8") for key, value in theirs.items()}
    for node in network.nodes:
        if parting is not None and node.name == parting.value:
            differs = ours[node.name] != theirs[node.name]
            assert differs.sum() == parting.differing
            assert parting.codes == (
                ours[node.name][parting.element],
                theirs[node.name][parting.element],
            )
            assert parting.reasons
            return
        assert (ours[node.name] == theirs[node.name]).all()
    assert parting is None
    assert outcome["differing"] == 0


def test_reals_are_quantized_by_either() -> None:
    """The dialects may part in the input: a tie whose zero point is inside the rounding."""
    network = replace(_two_layers(), inputs={"x": Encoding("int8", 1.0, 1)})
    assert with_real_input(network).inputs == {REAL: Encoding("float32")}
    x = np.array([[0.5]], np.float32)
    parting, _ = first_parting(
        network, get_dialect("onnxruntime"), get_dialect("pytorch-fbgemm"), x
    )
    assert parting is not None
    assert (parting.value, parting.operator) == ("x", "quantize")
    assert parting.codes == (1, 2)
    assert "after the zero point 1 was added" in parting.reasons[1]


def test_an_operator_that_is_missing_is_named() -> None:
    """The dialect's own words."""
    mute = replace(get_dialect("onnxruntime"), operators={}, notes={"dense": "too hard"})
    with pytest.raises(UnsupportedError, match="dense: too hard"):
        first_parting(_two_layers(), under("float32_rne"), mute, np.zeros((1, 1), np.int8))
