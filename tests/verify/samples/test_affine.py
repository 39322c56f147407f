"""Samples of dense layers and convolutions hit what they aim at."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kdq_ref.verify.accumulators import accumulate, biased, weight_of
from kdq_ref.verify.dialects.pairs import saturating_product
from kdq_ref.verify.network import store
from kdq_ref.verify.samples import Sample, generate

_OPERATORS = ("dense", "conv2d", "depthwise_conv2d")


def _samples(operator: str, style: str, count: int = 60) -> list[Sample]:
    drawn = itertools.islice(generate(operator, seed=0, outputs=2000), count)
    return [sample for sample in drawn if sample.style == style]


def _scaled(sample: Sample) -> np.ndarray:
    """Accumulators times the real multiplier, in float64."""
    node, source = sample.network.nodes[0], sample.network.inputs["x"]
    acc = biased(node, accumulate(sample.network, node, sample.inputs["x"]))
    scales = weight_of(node).scales.astype(np.float64)
    return acc * (source.scale * scales / node.output.scale)


@pytest.mark.parametrize("operator", _OPERATORS)
def test_ties_abound(operator: str) -> None:
    """A tenth of all scaled accumulators, at least, lie exactly on a half."""
    values = np.concatenate([_scaled(sample).ravel() for sample in _samples(operator, "ties")])
    inside = values[np.abs(values) < 255]
    assert np.mean(inside % 1 == 0.5) > 0.1


@pytest.mark.parametrize("operator", _OPERATORS)
def test_solved_multipliers_land_on_or_beside_a_half(operator: str) -> None:
    """In most channels some accumulator is within two float32 of a half."""
    hits = []
    for sample in _samples(operator, "solved"):
        if len(weight_of(sample.network.nodes[0]).scales) == 1:
            continue
        values = _scaled(sample)
        distance = np.abs(np.abs(values) % 1 - 0.5) / np.maximum(np.abs(values), 1)
        hits += (distance.reshape(-1, values.shape[-1]).min(0) < 2.0**-22).tolist()
    assert np.mean(hits) > 0.5


def test_extremes_saturate_pairs() -> None:
    """Codes and weights at their ends overflow int16 where a runtime adds in pairs."""
    saturated = 0
    for sample in _samples("dense", "extremes"):
        network = sample.network.stored_as("uint8")
        x = store(sample.inputs["x"], "uint8")
        sums = accumulate(network, network.nodes[0], x, saturating_product)
        saturated += not np.array_equal(sums, accumulate(network, network.nodes[0], x))
    assert saturated >= 3


@pytest.mark.parametrize("operator", _OPERATORS)
def test_random_samples_use_the_range(operator: str) -> None:
    """Few outputs of random samples leave int8: a clamp would hide the rounding."""
    values = np.concatenate([_scaled(sample).ravel() for sample in _samples(operator, "random")])
    assert np.mean(np.abs(values) < 127) > 0.8
    assert np.std(values[np.abs(values) < 127]) > 10
