"""What ONNX says, and what its reference evaluator does."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import agrees, dense_network, installed

from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.network import Encoding, Network, Node
from kdq_ref.verify.samples import OPERATORS

_EVALUATOR = get_dialect("onnx-reference-evaluator")


@pytest.mark.parametrize("operator", [name for name in OPERATORS if name in _EVALUATOR.operators])
def test_it_is_what_the_evaluator_computes(operator: str) -> None:
    """Bit for bit, on the samples that other runtimes get."""
    agrees("onnx-reference-evaluator", operator, outputs=20_000)


def test_the_evaluator_adds_the_zero_point_before_it_rounds() -> None:
    """0.5 and zero point 1: the text says 0 + 1, the evaluator rounds 1.5 to 2."""
    network = dense_network([[1]], scale=0.5, output=Encoding("int8", 1.0, 1))
    codes = {"x": np.array([[1]], np.int8)}
    assert get_dialect("onnx-spec").run(network, codes)["y"].item() == 1
    assert _EVALUATOR.run(network, codes)["y"].item() == 2
    assert installed("onnx-reference").run(network, codes)["y"].item() == 2


def test_the_text_means_real_numbers() -> None:
    """A sum beyond float32 stays exact, and what is far away saturates on its own side."""
    pair = Encoding("int8", 1.0, 0)
    node = Node("y", "mul", ("x", "x"), Encoding("int8", 2.0**-40, 0))
    network = Network({"x": pair}, {"x": (2,)}, (node,), "y")
    codes = {"x": np.array([[-128, 0]], np.int8)}
    assert get_dialect("onnx-spec").run(network, codes)["y"].tolist() == [[127, 0]]


def test_the_evaluator_reads_padding_in_another_order() -> None:
    """Why its maximum is not reproduced: a 1x3 window with padding changes the image's height."""
    encoding = Encoding("uint8")
    node = Node("y", "max_pool2d", ("x",), encoding, kernel=(1, 3), padding=(0, 0, 1, 1))
    network = Network({"x": encoding}, {"x": (5, 5, 1)}, (node,), "y")
    codes = {"x": np.zeros((1, 5, 5, 1), np.uint8)}
    answer = installed("onnx-reference").run(network, codes)["y"]
    assert answer.shape == (1, 6, 4, 1), "onnx has mended it: describe max_pool2d"
    assert "max_pool2d" not in _EVALUATOR.operators
