"""What every sample draws, and the samples as a whole."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.verify.network import value_shapes
from kdq_ref.verify.samples import OPERATORS, STYLES, generate
from kdq_ref.verify.samples.drawing import clamp, codes, encoding, float32, scale, zero_point


@pytest.mark.parametrize("operator", OPERATORS)
def test_samples_follow_from_the_seed_and_fit_their_network(operator: str) -> None:
    """The same seed, the same bits; another seed, others; every style; shapes as declared."""
    first, again, other = (
        list(itertools.islice(generate(operator, seed=seed, outputs=500), 2 * len(STYLES)))
        for seed in (7, 7, 8)
    )
    assert [sample.style for sample in first] == [*STYLES, *STYLES]
    for a, b in zip(first, again, strict=True):
        assert a.network.encodings == b.network.encodings
        for name, value in a.inputs.items():
            np.testing.assert_array_equal(value, b.inputs[name])
            assert value.dtype == a.network.inputs[name].dtype
            assert value.shape[1:] == a.network.shapes[name]
        size = int(np.prod(value_shapes(a.network)["y"])) * len(value)
        assert 1 <= size <= max(1000, 2 * int(np.prod(value_shapes(a.network)["y"])))
    assert any(
        a.network.encodings != b.network.encodings for a, b in zip(first, other, strict=True)
    )


@pytest.mark.parametrize("operator", OPERATORS)
def test_scales_are_float32_and_zero_points_codes(operator: str) -> None:
    """What files of runtimes can hold."""
    for sample in itertools.islice(generate(operator, seed=3, outputs=100), 60):
        for value in sample.network.encodings.values():
            assert value.scale == float(np.float32(value.scale)) > 0
            if value.dtype != "float32":
                assert value.limits[0] <= value.zero_point <= value.limits[1]


def test_an_unknown_operator() -> None:
    """The message lists the known ones."""
    with pytest.raises(
        InvalidArgumentError, match="no samples of operator 'gelu'; choose one of q"
    ):
        next(generate("gelu", seed=0, outputs=1))


def test_draws_reach_their_ends() -> None:
    """Zero points and codes at both ends, every kind of clamp, odd multiples of powers of two."""
    rng = np.random.default_rng(0)
    assert {zero_point(rng, "extremes") for _ in range(50)} == {-128, 127}
    assert {-128, 0, 127} <= {zero_point(rng, "random") for _ in range(200)}
    assert {clamp(rng) for _ in range(100)} == {None, (0.0, float("inf")), (0.0, 6.0)}
    drawn = np.concatenate([codes(rng, (100,), "extremes") for _ in range(20)])
    assert {-128, 127} <= set(drawn.tolist()) <= {-128, -127, 0, 127}
    mantissas = {np.frexp(scale(rng, "ties"))[0] for _ in range(100)}
    assert mantissas == {0.5, 0.75, 0.625}
    assert encoding(rng, "random").dtype == "int8"
    assert float32(0.1) == 13421773 / 2**27
