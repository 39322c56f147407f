"""What ONNX Runtime computes."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import agrees, dense_network, installed

from kdq_ref.verify.check import check
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.dialects.onnxruntime import DIALECTS
from kdq_ref.verify.network import Encoding, Network, Node
from kdq_ref.verify.samples import OPERATORS


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", DIALECTS)
def test_it_is_what_the_runtime_computes(name: str, operator: str) -> None:
    """Bit for bit, on samples that aim at ties, extremes, tiny and huge multipliers."""
    agrees(name, operator)


def test_the_exact_dialect_is_not_what_the_default_computes() -> None:
    """The comparison sees saturation where it happens: it could fail."""
    oracle = installed("onnxruntime")
    (row,) = check(get_dialect("onnxruntime"), oracle, ("dense",), outputs=150_000)
    (same,) = check(get_dialect("onnxruntime-avx2-default"), oracle, ("dense",), outputs=150_000)
    assert same.mismatches == 0
    if row.mismatches == 0:
        pytest.skip("this machine has VNNI: ONNX Runtime does not saturate here")
    assert row.largest > 1


def test_the_multiplier_is_formed_in_float32() -> None:
    """acc = 3 with s_x s_w / s_y = 0.5: a tie, to even; the bias is part of the accumulator."""
    network = dense_network([[1]], scale=0.5, source=Encoding("uint8"), output=Encoding("uint8"))
    run = get_dialect("onnxruntime").run
    codes = np.array([[1], [3], [5]], np.uint8)
    assert run(network, {"x": codes})["y"].ravel().tolist() == [0, 2, 2]
    biased = dense_network(
        [[1]],
        scale=0.5,
        source=Encoding("uint8"),
        output=Encoding("uint8"),
        bias=np.array([2], np.int32),
    )
    assert run(biased, {"x": codes})["y"].ravel().tolist() == [2, 2, 4]


def test_where_the_zero_point_is_added_before_rounding() -> None:
    """A product of 1/2 and zero point 1 is 1.5 and rounds to 2, where a dense layer gives 1."""
    half = Encoding("uint8", 0.5, 0)
    node = Node("y", "mul", ("a", "b"), Encoding("uint8", 0.5, 1))
    network = Network({"a": half, "b": half}, {"a": (1,), "b": (1,)}, (node,), "y")
    codes = np.array([[1], [3]], np.uint8)
    values = get_dialect("onnxruntime").run(network, {"a": codes, "b": np.ones_like(codes)})
    assert values["y"].ravel().tolist() == [2, 2]
