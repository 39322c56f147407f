"""Batch norm folding leaves the function of the network as it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies.networks import inputs, networks

from kdq_ref import nn
from kdq_ref.errors import GraphError, NotFiniteError
from kdq_ref.quant import fold_batch_norm


def _randomise(layer: nn.Layer, rng: np.random.Generator) -> nn.Layer:
    for key, value in (*layer.params.items(), *layer.buffers.items()):
        value[...] = rng.uniform(0.5, 2) if key == "var" else rng.standard_normal(value.shape)
    return layer


@settings(max_examples=150)
@given(st.data())
def test_folded_equals_unfolded_in_float64(data: st.DataObject) -> None:
    """Any network, folded, computes the same to 1e-10 of its largest value."""
    graph = data.draw(networks(batch_norm=True)).astype(np.float64)
    x = data.draw(inputs(graph)).astype(np.float64)
    folded = fold_batch_norm(graph)
    assert not any(isinstance(n.layer, nn.BatchNorm | nn.Dropout) for n in folded.nodes)
    largest = max(np.abs(value).max() for _, value in graph.values(x))
    np.testing.assert_allclose(folded(x), graph(x), rtol=0, atol=1e-10 * max(1, largest))


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.booleans())
def test_folded_equals_unfolded_in_float32(seed: int, k: int, bias: bool) -> None:
    """Rounding alone tells them apart: a sum of K products has K + 1 roundings, batch norm ten."""
    rng = np.random.default_rng(seed)
    dense = _randomise(nn.Dense(k, 5, bias=bias, rng=rng), rng)
    norm = _randomise(nn.BatchNorm(5), rng)
    graph = nn.Sequential((k,), [("dense", dense), ("norm", norm)])
    x = rng.standard_normal((8, k), dtype=np.float32)
    got = fold_batch_norm(graph)(x).astype(np.float64)
    gain = norm.params["gamma"] / np.sqrt(norm.buffers["var"] + norm.eps)
    magnitude = np.abs(x) @ np.abs(dense.params["w"]) + np.abs(dense.params.get("b", 0))
    magnitude = (magnitude + np.abs(norm.buffers["mean"])) * np.abs(gain)
    magnitude += np.abs(norm.params["beta"])
    unit = 2.0**-24
    assert (np.abs(got - graph(x)) <= 2 * (k + 11) * unit * magnitude.astype(np.float64)).all()


def test_an_affine_layer_takes_its_norm_over() -> None:
    """One node is left under the affine layer's name, and it has a bias now."""
    rng = np.random.default_rng(0)
    layers = [
        ("conv", nn.Conv2d(2, 3, 3, bias=False, rng=rng)),
        ("norm", _randomise(nn.BatchNorm(3), rng)),
        ("again", _randomise(nn.BatchNorm(3), rng)),
        ("relu", nn.ReLU()),
    ]
    graph = nn.Sequential((4, 4, 2), layers)
    folded = fold_batch_norm(graph)
    assert [node.name for node in folded.nodes] == ["conv", "relu"]
    assert folded["conv"].config() == {**graph["conv"].config(), "bias": True}


def test_the_original_is_left_alone() -> None:
    """No array is shared or changed."""
    rng = np.random.default_rng(0)
    layers = [nn.Conv2d(1, 2, 3, rng=rng), _randomise(nn.BatchNorm(2), rng), nn.Flatten()]
    graph = nn.Sequential((3, 3, 1), layers)
    before = graph.state_dict()
    for value in fold_batch_norm(graph).parameters().values():
        value[...] = 7
    after = graph.state_dict()
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_a_norm_that_cannot_be_folded_becomes_depthwise() -> None:
    """After a non-affine node, or an affine one with other readers, it keeps its own node."""
    rng = np.random.default_rng(1)
    conv = nn.Conv2d(1, 2, 3, rng=rng)
    nodes = [
        nn.Node("conv", conv, ("input",)),
        nn.Node("norm", _randomise(nn.BatchNorm(2), rng), ("conv",)),
        nn.Node("sum", nn.Add(), ("conv", "norm")),
        nn.Node("relu", nn.ReLU(), ("sum",)),
        nn.Node("late", _randomise(nn.BatchNorm(2), rng), ("relu",)),
    ]
    graph = nn.Graph((4, 4, 1), nodes)
    folded = fold_batch_norm(graph)
    assert isinstance(folded["norm"], nn.DepthwiseConv2d)
    assert isinstance(folded["late"], nn.DepthwiseConv2d)
    np.testing.assert_array_equal(folded["conv"].params["w"], conv.params["w"])
    x = rng.standard_normal((2, 4, 4, 1), dtype=np.float32)
    np.testing.assert_allclose(folded(x), graph(x), rtol=1e-5, atol=1e-5)


def test_a_norm_of_vectors_that_cannot_be_folded_is_refused() -> None:
    """The error names the node and says where to put it."""
    rng = np.random.default_rng(0)
    layers = [nn.Dense(3, 4, rng=rng), nn.ReLU(), ("late", nn.BatchNorm(4))]
    with pytest.raises(GraphError, match=r"'late'.*right behind"):
        fold_batch_norm(nn.Sequential((3,), layers))


def test_dropout_disappears() -> None:
    """Wherever it stands, except where it stands alone."""
    rng = np.random.default_rng(0)
    layers = [nn.Dropout(0.5), ("dense", nn.Dense(3, 4, rng=rng)), nn.Dropout(0.5), nn.Dropout(0.1)]
    folded = fold_batch_norm(nn.Sequential((3,), layers))
    assert [(node.name, node.inputs) for node in folded.nodes] == [("dense", ("input",))]
    with pytest.raises(GraphError, match="nothing but dropout"):
        fold_batch_norm(nn.Sequential((3,), [nn.Dropout(0.5)]))


@pytest.mark.parametrize(("key", "bad"), [("var", -1.0), ("mean", np.nan), ("var", np.nan)])
def test_useless_statistics_are_refused(key: str, bad: float) -> None:
    """The error names the node whose folded weights would be NaN."""
    rng = np.random.default_rng(0)
    norm = nn.BatchNorm(4)
    norm.buffers[key][2] = bad
    with pytest.raises(NotFiniteError, match="dense"):
        fold_batch_norm(nn.Sequential((3,), [("dense", nn.Dense(3, 4, rng=rng)), norm]))
