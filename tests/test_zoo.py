"""The named networks."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kdq_ref import nn, zoo
from kdq_ref.errors import InvalidArgumentError
from kdq_ref.losses import cross_entropy
from kdq_ref.nn.registry import LAYERS
from kdq_ref.optim import Adam


@pytest.mark.parametrize("name", zoo.NAMES)
def test_every_network_learns(name):
    """Ten classes, float32, JSON-able; a few steps on one batch lower its loss."""
    graph = zoo.build(name, np.random.default_rng(0))
    assert graph.shapes()[graph.output] == (10,)
    assert nn.Graph.from_config(graph.config(), np.random.default_rng(0)).shapes() == graph.shapes()
    rng = np.random.default_rng(1)
    x = rng.random((20, *graph.input_shape), dtype=np.float32)
    labels = np.arange(20) % 10
    optimizer, losses = Adam(), []
    for _ in range(12):
        logits, tape = graph.forward(x, training=True, rng=rng)
        loss, dlogits = cross_entropy(logits, labels)
        _, grads = graph.backward(dlogits, tape)
        assert all(grad.dtype == np.float32 for grad in grads.values())
        optimizer.update(graph.parameters(), grads, 1e-3)
        graph.update_statistics([tape])
        losses.append(loss)
    assert losses[0] < 4
    assert losses[-1] < losses[0] - 0.1


def test_a_seed_repeats():
    """The same generator state builds the same weights."""
    one, two = (zoo.build("residual", np.random.default_rng(5)).state_dict() for _ in range(2))
    for key, value in one.items():
        assert_array_equal(value, two[key])


def test_budgets():
    """The students' parameters; a teacher that two cores train in minutes."""
    graphs = {name: zoo.build(name, np.random.default_rng(0)) for name in zoo.NAMES}
    assert graphs["fashion-student"].count_parameters() <= 30_000
    assert graphs["fashion-teacher"].macs() <= 16_000_000
    assert graphs["digits-student"].count_parameters() < 1_000
    assert graphs["mlp"].count_parameters() == 784 * 1200 + 1200 + 1200 * 1200 + 1200 + 12010


def test_the_zoo_shows_every_structure():
    """Together with the activations that stand alone, the networks use most layers."""
    used = {
        type(node.layer).__name__
        for name in zoo.NAMES
        for node in zoo.build(name, np.random.default_rng(0)).nodes
    }
    assert LAYERS.keys() - used == {"LeakyReLU", "Sigmoid", "Tanh", "GELU"}


def test_unknown_names():
    """The message lists what there is."""
    with pytest.raises(InvalidArgumentError, match=r"'lenet'.*fashion-teacher"):
        zoo.build("lenet", np.random.default_rng(0))


def test_examples():
    """The docstring's example prints what it says."""
    assert doctest.testmod(zoo).failed == 0
