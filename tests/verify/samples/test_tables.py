"""Samples of functions of one code."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kdq_ref.verify.samples import generate


@pytest.mark.parametrize("operator", ["relu", "clip", "tanh", "dequantize"])
def test_every_row_has_every_code(operator: str) -> None:
    """Once, in an order of its own, and none twice in rows that are shorter."""
    widths = set()
    for sample in itertools.islice(generate(operator, seed=0, outputs=2000), 40):
        x = sample.inputs["x"]
        widths.add(x.shape[1])
        for row in x:
            assert len(np.unique(row)) == len(row)
            assert not np.array_equal(row, np.sort(row))
    assert 256 in widths
    assert any(width % 8 for width in widths)


def test_quantized_reals_lie_on_halves_and_beside_them() -> None:
    """On them where the style is ties, off by one float32 where it is solved."""
    for sample in itertools.islice(generate("quantize", seed=0, outputs=1000), 12):
        steps = sample.inputs["x"].astype(np.float64) / sample.network.nodes[0].output.scale
        distance = np.abs(np.abs(steps) % 1 - 0.5)
        if sample.style == "ties":
            assert np.all(distance == 0)
        if sample.style == "solved":
            assert np.mean((distance > 0) & (distance < 1e-4)) > 0.5


def test_outputs_that_runtimes_fix() -> None:
    """Softmax always, sigmoid and tanh mostly, have the encoding that TFLite demands."""
    for operator, fixed in (
        ("softmax", (1 / 256, -128)),
        ("sigmoid", (1 / 256, -128)),
        ("tanh", (1 / 128, 0)),
    ):
        found = [
            (sample.network.nodes[0].output.scale, sample.network.nodes[0].output.zero_point)
            == fixed
            for sample in itertools.islice(generate(operator, seed=0, outputs=100), 40)
        ]
        assert np.mean(found) > 0.5
        assert all(found) == (operator == "softmax")
