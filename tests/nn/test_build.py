"""Chains and residual blocks written out as graphs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kdq_ref import nn
from kdq_ref.errors import GraphError

RNG = np.random.default_rng(0)


def wiring(graph: nn.Graph) -> dict[str, tuple[str, ...]]:
    """Names and inputs."""
    return {node.name: node.inputs for node in graph.nodes}


def test_names_count_by_kind():
    """Without names, by class and number; given names stay."""
    layers = [
        nn.Conv2d(1, 2, 3, rng=RNG),
        nn.BatchNorm(2),
        ("act", nn.ReLU()),
        nn.Conv2d(2, 2, 3, rng=RNG),
        nn.ReLU(),
    ]
    assert wiring(nn.Sequential((4, 4, 1), layers)) == {
        "conv1": ("input",),
        "batchnorm1": ("conv1",),
        "act": ("batchnorm1",),
        "conv2": ("act",),
        "relu1": ("conv2",),
    }


def test_residual_blocks_become_nodes():
    """Body, shortcut, Add; nested blocks, too; the Add carries the block's name."""
    inner = nn.Residual([nn.Tanh()], shortcut=[nn.Sigmoid()])
    graph = nn.Sequential((3,), [nn.ReLU(), ("block", nn.Residual([nn.ReLU(), inner]))])
    assert wiring(graph) == {
        "relu1": ("input",),
        "relu2": ("relu1",),
        "tanh1": ("relu2",),
        "sigmoid1": ("relu2",),
        "add1": ("tanh1", "sigmoid1"),
        "block": ("add1", "relu1"),
    }
    x = np.array([[-1.0, 0.5, 2.0]])
    r = np.maximum(x, 0)
    assert_allclose(graph(x), np.tanh(r) + 1 / (1 + np.exp(-r)) + r)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "at least one node"),
        ([("relu1", nn.Tanh()), nn.ReLU()], "2 nodes are called 'relu1'"),
        ([nn.Residual([nn.Dense(3, 4, rng=RNG)])], r"node 'add1'.*\(4,\) and \(3,\)"),
    ],
)
def test_faults_are_the_graphs(layers, message):
    """Nothing is repaired silently."""
    with pytest.raises(GraphError, match=message):
        nn.Sequential((3,), layers)
