"""What is said of CMSIS-NN."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import dense_network

from kdq_ref.verify.dialects.cmsis_nn import DIALECTS
from kdq_ref.verify.dialects.tflite_micro import DIALECTS as MICRO


def test_every_note_says_that_it_was_not_run() -> None:
    """There is no runtime to be the judge, and whoever reads a note knows."""
    dialect = DIALECTS["cmsis-nn"]
    assert dialect.runtime == ""
    assert all("NOT RUN" in note for note in dialect.notes.values())
    assert set(dialect.operators) == set(MICRO["tflite-micro"].operators)


# Its issue 214: LiteRT's reference dense layer rounds once, CMSIS-NN twice.
@pytest.mark.parametrize(("code", "expected"), [(2, 1), (-2, -1), (6, 2), (-6, -2), (5, 2)])
def test_it_rounds_twice(code: int, expected: int) -> None:
    """code / 4 half away from zero; 1.25 is rounded to 1.5 first, and becomes 2."""
    network = dense_network([[1]], scale=0.25)
    result = DIALECTS["cmsis-nn"].run(network, {"x": np.array([[code]], np.int8)})
    assert result["y"].tolist() == [[expected]]


def test_two_roundings_are_not_one() -> None:
    """tensorflow #25087: 7984 * 0.00144027 is 11.499 and becomes 12."""
    scale = float(np.float32(0.0014402703931141053))
    network = dense_network([[0]], scale=scale, bias=np.array([7984], np.int32))
    result = DIALECTS["cmsis-nn"].run(network, {"x": np.zeros((1, 1), np.int8)})
    assert result["y"].tolist() == [[12]]
