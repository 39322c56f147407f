"""Samples of two tensors hit what they aim at."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kdq_ref.verify.samples import Sample, generate


def _scaled(sample: Sample) -> np.ndarray:
    """The real result in units of the output's scale, in float64."""
    network = sample.network
    reals = [
        (sample.inputs[name].astype(np.float64) - encoding.zero_point) * encoding.scale
        for name, encoding in network.inputs.items()
    ]
    total = reals[0] + reals[1] if network.nodes[0].operator == "add" else reals[0] * reals[1]
    return total / network.nodes[0].output.scale


@pytest.mark.parametrize("operator", ["add", "mul"])
def test_ties_abound(operator: str) -> None:
    """Some of the results inside int8, at least one in a hundred, are exact halves."""
    drawn = itertools.islice(generate(operator, seed=0, outputs=2000), 60)
    values = np.concatenate([_scaled(sample).ravel() for sample in drawn if sample.style == "ties"])
    inside = values[np.abs(values) < 255]
    assert np.mean(inside % 1 == 0.5) > 0.01


@pytest.mark.parametrize("operator", ["add", "mul"])
def test_shapes_agree_and_are_no_scalars(operator: str) -> None:
    """Both inputs have one shape, of two elements at least."""
    for sample in itertools.islice(generate(operator, seed=0, outputs=3), 40):
        a, b = sample.inputs.values()
        assert a.shape == b.shape
        assert a.size >= 2


def test_concatenation_joins_equal_and_unequal_encodings() -> None:
    """Both happen, of two or three inputs, images included."""
    samples = list(itertools.islice(generate("concat", seed=0, outputs=100), 40))
    equal = [
        all(
            encoding == sample.network.nodes[0].output
            for encoding in sample.network.inputs.values()
        )
        for sample in samples
    ]
    assert 5 < sum(equal) < 35
    assert {len(sample.inputs) for sample in samples} == {2, 3}
    assert {len(sample.network.shapes["a"]) for sample in samples} == {1, 3}
