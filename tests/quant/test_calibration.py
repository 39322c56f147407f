"""Calibration observes what a stage will hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.networks import inputs, networks

from kdq_ref import nn
from kdq_ref.errors import GraphError, InvalidArgumentError, NotFiniteError
from kdq_ref.quant import calibrate, lower
from kdq_ref.quant.schemes import choose_activation_params


def _small() -> nn.Graph:
    rng = np.random.default_rng(0)
    layers = [
        ("conv", nn.Conv2d(1, 2, 3, rng=rng)),
        ("relu", nn.ReLU()),
        ("pool", nn.MaxPool2d(2)),
        ("flat", nn.Flatten()),
        ("dense", nn.Dense(8, 3, rng=rng)),
    ]
    return nn.Sequential((4, 4, 1), layers)


_X = np.random.default_rng(1).standard_normal((6, 4, 4, 1)).astype(np.float32)


def test_only_values_with_their_own_scale_are_observed() -> None:
    """The input, fused activations and outputs; not pools, and nothing inside a fused stage."""
    spec = calibrate(_small(), [_X])
    assert set(spec.activations) == {"input", "relu", "dense"}
    assert {name: len(scales) for name, scales in spec.weights.items()} == {"conv": 2, "dense": 3}


def test_ranges_are_those_of_the_values() -> None:
    """With min-max the parameters are those of the extremes over all batches."""
    graph = _small()
    spec = calibrate(graph, [_X[:2], _X[2:]])
    for name, value in graph.values(_X):
        if name in spec.activations:
            expected = choose_activation_params(float(value.min()), float(value.max()))
            assert spec.activations[name] == expected


@pytest.mark.parametrize(
    ("settings", "recorded"),
    [
        ({}, {"name": "minmax"}),
        (
            {"observer": "moving_average", "momentum": 0.5},
            {"name": "moving_average", "momentum": 0.5},
        ),
        ({"observer": "percentile", "percentile": 99}, {"name": "percentile", "percentile": 99.0}),
    ],
)
def test_the_spec_records_how_it_was_made(settings: dict, recorded: dict) -> None:
    """Observer, its settings and the granularity of weights."""
    spec = calibrate(_small(), [_X], weights="per_tensor", **settings)
    assert spec.observer == recorded
    assert spec.granularity == "per_tensor"
    assert {len(scales) for scales in spec.weights.values()} == {1}


def test_one_array_is_one_batch() -> None:
    """An array is not taken apart into samples."""
    assert calibrate(_small(), _X) == calibrate(_small(), [_X])


@given(st.data())
def test_every_calibrated_network_can_be_lowered(data: st.DataObject) -> None:
    """Calibration leaves nothing out that lowering needs, dead channels and all."""
    graph = data.draw(networks())
    observer = data.draw(st.sampled_from(["minmax", "moving_average", "percentile"]))
    weights = data.draw(st.sampled_from(["per_channel", "per_tensor"]))
    spec = calibrate(graph, [data.draw(inputs(graph))], observer=observer, weights=weights)
    assert lower(graph, spec).output == graph.output


def test_no_batches_are_refused() -> None:
    """An exhausted iterator is the usual cause."""
    with pytest.raises(InvalidArgumentError, match="at least one batch"):
        calibrate(_small(), iter([]))


def test_unknown_names_are_refused() -> None:
    """The message lists the known ones."""
    with pytest.raises(InvalidArgumentError, match="minmax, moving_average, percentile"):
        calibrate(_small(), [_X], observer="entropy")
    with pytest.raises(InvalidArgumentError, match="per_channel, per_tensor"):
        calibrate(_small(), [_X], weights="per_row")


def test_batch_norm_must_be_folded_first() -> None:
    """Calibrating before folding would observe the wrong values."""
    with pytest.raises(GraphError, match="fold_batch_norm"):
        calibrate(nn.Sequential((4, 4, 1), [nn.BatchNorm(1)]), [_X])


def test_values_that_are_not_finite_name_their_node() -> None:
    """NaN in the input, in a value, in the weights."""
    bad = _X.copy()
    bad[0, 0, 0, 0] = np.nan
    with pytest.raises(NotFiniteError, match="'input'"):
        calibrate(_small(), [bad])
    graph = _small()
    graph["dense"].params["w"][0, 0] = np.inf
    with pytest.raises(NotFiniteError, match="'dense'"):
        calibrate(graph, [_X])
    rng = np.random.default_rng(0)
    idle = nn.Sequential((2,), [("dense", nn.Dense(2, 2, rng=rng)), nn.ReLU()])
    idle["dense"].params["w"][...] = -np.inf  # hidden by the ReLU: the values are all zero
    with pytest.raises(NotFiniteError, match="'dense'"):
        calibrate(idle, [np.ones((1, 2), np.float32)])
