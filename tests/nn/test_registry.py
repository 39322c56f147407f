"""Building layers by name."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kdq_ref import nn
from kdq_ref.errors import GraphError
from kdq_ref.nn.registry import LAYERS, layer_from_config

RNG = np.random.default_rng(0)
EXAMPLES = [
    nn.Dense(3, 4, bias=False, rng=RNG, init="glorot_uniform"),
    nn.Conv2d(
        4,
        6,
        (3, 2),
        stride=2,
        padding=(1, 0, 2, 0),
        dilation=(1, 2),
        groups=2,
        bias=False,
        rng=RNG,
        init="glorot",
    ),
    nn.DepthwiseConv2d(
        4, 3, multiplier=2, stride=(1, 2), padding=1, dilation=2, bias=False, rng=RNG, init="glorot"
    ),
    nn.MaxPool2d((2, 3), stride=1, padding=(1, 0, 0, 2)),
    nn.AvgPool2d(3, stride=(1, 2), padding=1),
    nn.GlobalAvgPool(),
    nn.BatchNorm(3, eps=1e-3, momentum=0.2),
    nn.Dropout(0.25),
    nn.Flatten(),
    nn.Add(),
    nn.ReLU(),
    nn.ReLU6(),
    nn.LeakyReLU(0.3),
    nn.Sigmoid(),
    nn.Tanh(),
    nn.GELU(),
    nn.HardSwish(),
]


def test_every_public_layer_has_an_example_and_a_name():
    """Nothing is left out of configurations."""
    public = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    public = {name for name in public if issubclass(getattr(nn, name), nn.Layer)} - {"Layer"}
    assert public == LAYERS.keys() == {type(layer).__name__ for layer in EXAMPLES}


@pytest.mark.parametrize("layer", EXAMPLES, ids=lambda layer: type(layer).__name__)
def test_round_trip_through_json(layer):
    """Every argument differs from its default and comes back."""
    config = json.loads(json.dumps(layer.config()))
    twin = layer_from_config("n", type(layer).__name__, config, np.random.default_rng(1))
    assert twin.config() == layer.config()
    assert type(twin) is type(layer)
    assert {k: v.shape for k, v in twin.params.items()} == {
        k: v.shape for k, v in layer.params.items()
    }


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        ("Conv3d", {}, "no layer is called 'Conv3d'"),
        ("Dense", {"n_in": 3}, "Dense cannot be built"),
        ("Dense", {"n_in": 3, "n_out": 0}, "n_out"),
        ("ReLU", {"slope": 1}, "ReLU cannot be built"),
        ("Dropout", {"p": "much"}, "Dropout cannot be built"),
        ("Dropout", 7, "Dropout cannot be built"),
    ],
)
def test_faults_name_the_node(kind, config, message):
    """One kind of error, whatever is wrong."""
    with pytest.raises(GraphError, match=f"node 'first'.*{message}"):
        layer_from_config("first", kind, config, np.random.default_rng(0))
