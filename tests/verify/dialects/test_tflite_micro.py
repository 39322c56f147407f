"""What TensorFlow Lite Micro computes."""

from __future__ import annotations

import pytest
from strategies.dialects import agrees
from strategies.tflite_networks import (
    NETWORKS,
    assert_network,
    assert_random_networks,
    assert_wide,
)

from kdq_ref.verify.samples import OPERATORS

_NAME = "tflite-micro"


@pytest.mark.parametrize("operator", OPERATORS)
def test_it_is_what_the_runtime_computes(operator: str) -> None:
    """Bit for bit, on samples that aim at ties, extremes, tiny and huge multipliers."""
    agrees(_NAME, operator)


@pytest.mark.parametrize("kind", NETWORKS)
def test_whole_networks(kind: str) -> None:
    """A student, a residual and a depthwise net, every value of every node."""
    assert_network(_NAME, kind)


@pytest.mark.parametrize("operator", ["dense", "conv2d", "depthwise_conv2d"])
def test_activations_of_int16(operator: str) -> None:
    """Biases and accumulators of int64, ties included."""
    assert_wide(_NAME, operator)


def test_operators_in_any_order() -> None:
    """Networks of operators that fit behind each other."""
    assert_random_networks(_NAME)
