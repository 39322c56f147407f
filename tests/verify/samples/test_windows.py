"""Samples of pooling are what runtimes can be given."""

from __future__ import annotations

import itertools

import pytest

from kdq_ref.verify.samples import generate


@pytest.mark.parametrize("operator", ["max_pool2d", "avg_pool2d"])
def test_padding_is_equal_and_smaller_than_the_kernel(operator: str) -> None:
    """On both sides, which every runtime can say; strided windows of odd sizes included."""
    padded = 0
    for sample in itertools.islice(generate(operator, seed=0, outputs=100), 60):
        node = sample.network.nodes[0]
        top, bottom, left, right = node.padding
        assert (top, left) == (bottom, right)
        assert top < node.kernel[0]
        assert left < node.kernel[1]
        padded += left > 0
    assert padded > 10


def test_the_maximum_keeps_its_encoding_and_averages_sometimes_do() -> None:
    """No runtime rescales a maximum."""
    for operator, always in (
        ("max_pool2d", True),
        ("avg_pool2d", False),
        ("global_avg_pool", False),
    ):
        kept = [
            sample.network.inputs["x"] == sample.network.nodes[0].output
            for sample in itertools.islice(generate(operator, seed=0, outputs=100), 60)
        ]
        assert any(kept)
        assert all(kept) == always
