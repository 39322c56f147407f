"""Graphs: values, gradients, state, configuration."""

from __future__ import annotations

import gc
import json
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gradients import assert_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies.layers import generators

from kdq_ref import nn
from kdq_ref.errors import DTypeError, GraphError, InvalidArgumentError, ShapeError


def small_network(rng: np.random.Generator, smooth: type[nn.Layer] = nn.GELU) -> nn.Graph:
    """Convolutions, batch norm, dropout, nested residuals, an input that a join reads."""
    return nn.Sequential(
        (4, 5, 2),
        [
            nn.Residual([nn.Tanh()]),
            nn.Residual(
                [nn.Conv2d(2, 3, 3, bias=False, rng=rng), nn.BatchNorm(3), smooth()],
                shortcut=[nn.Conv2d(2, 3, 1, rng=rng)],
            ),
            nn.AvgPool2d(2, padding=(0, 0, 1, 0)),
            nn.Residual([nn.DepthwiseConv2d(3, 3, rng=rng), nn.Residual([nn.Tanh()])]),
            nn.Dropout(0.3),
            nn.Flatten(),
            nn.Dense(18, 3, rng=rng),
        ],
    )


@pytest.mark.parametrize("training", [True, False])
@settings(max_examples=5)
@given(generators, st.sampled_from([nn.GELU, nn.HardSwish, nn.Sigmoid]))
def test_gradients(training, rng, smooth):
    """Of every parameter and of the input, through shared values and joins."""
    graph = small_network(rng, smooth).astype(np.float64)
    x = rng.standard_normal((3, *graph.input_shape))

    def forward() -> tuple:
        return graph.forward(x, training=training, rng=np.random.default_rng(0))

    y, tape = forward()
    dy = rng.standard_normal(y.shape)
    dx, grads = graph.backward(dy, tape, input_gradient=True)
    arrays = {**graph.parameters(), "x": x}
    assert_gradients(lambda: float(np.sum(forward()[0] * dy)), arrays, {**grads, "x": dx})


def test_without_input_gradient_the_rest_is_the_same():
    """Skipping dx of the first layers changes no other gradient."""
    graph = small_network(np.random.default_rng(0))
    x = np.random.default_rng(1).standard_normal((2, 4, 5, 2), dtype=np.float32)
    results = []
    for wanted in (False, True):
        y, tape = graph.forward(x, training=True, rng=np.random.default_rng(2))
        results.append(graph.backward(np.ones_like(y), tape, input_gradient=wanted))
    assert results[0][0] is None
    assert results[1][0].shape == x.shape
    for key, value in results[0][1].items():
        assert_array_equal(value, results[1][1][key])
        assert value.dtype == np.float32


def test_a_tape_serves_once():
    """The second walk is an error, not a wrong gradient."""
    graph = small_network(np.random.default_rng(0))
    y, tape = graph.forward(np.zeros((1, 4, 5, 2), np.float32))
    graph.backward(y, tape)
    with pytest.raises(InvalidArgumentError, match="run forward again"):
        graph.backward(y, tape)


def test_values_are_the_inference_pass():
    """Every value by name, `input` first, `output` last, equal to the layers by hand."""
    graph = small_network(np.random.default_rng(0))
    x = np.random.default_rng(1).standard_normal((2, 4, 5, 2), dtype=np.float32)
    values = dict(graph.values(x))
    assert list(values) == ["input", *(node.name for node in graph.nodes)]
    assert {name: value.shape[1:] for name, value in values.items()} == graph.shapes()
    for node in graph.nodes:
        operands = tuple(values[name] for name in node.inputs)
        y, _ = node.layer.forward(operands if len(operands) > 1 else operands[0])
        assert_array_equal(values[node.name], y)
    assert_array_equal(graph(x), values[graph.output])
    assert_array_equal(graph.forward(x)[0], values[graph.output])


def test_inference_lets_values_go():
    """While the third node runs, nothing holds the first one's value any more."""
    graph = nn.Sequential((3,), [nn.Tanh(), nn.ReLU(), nn.Tanh(), nn.ReLU()])
    alive = []
    first = None
    for name, value in graph.values(np.ones((1, 3))):
        if name == "tanh1":
            first = weakref.ref(value)
        del value
        gc.collect()
        alive.append(first is not None and first() is not None)
    assert alive == [False, True, False, False, False]


def test_running_statistics_follow_the_tapes():
    """One update per step from all micro-batches, after backward has used the tapes up."""
    rng = np.random.default_rng(0)
    graph = nn.Sequential((2,), [nn.BatchNorm(2), nn.ReLU()]).astype(np.float64)
    parts = rng.standard_normal((2, 5, 2))
    tapes = []
    for part in parts:
        y, tape = graph.forward(part, training=True)
        graph.backward(y, tape)
        tapes.append(tape)
    assert_array_equal(graph["batchnorm1"].buffers["mean"], 0)
    graph.update_statistics(tapes)
    assert_allclose(graph["batchnorm1"].buffers["mean"], 0.1 * parts.mean(axis=(0, 1)))


def test_state_round_trip():
    """Copies out, live arrays in: parameters and buffers of another network of its kind."""
    one, two = (small_network(np.random.default_rng(seed)) for seed in (0, 1))
    one["batchnorm1"].buffers["mean"][...] = 7
    state = one.state_dict()
    assert "batchnorm1.mean" in state
    live = two.parameters()["dense1.w"]
    two.load_state_dict(state)
    assert_array_equal(live, state["dense1.w"])
    assert not np.shares_memory(live, state["dense1.w"])
    x = np.random.default_rng(2).standard_normal((2, 4, 5, 2), dtype=np.float32)
    assert_array_equal(one(x), two(x))


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("dense1.b", None, InvalidArgumentError),
        ("dense9.b", np.zeros(3, np.float32), InvalidArgumentError),
        ("dense1.b", np.zeros(4, np.float32), ShapeError),
        ("dense1.b", np.zeros(3), DTypeError),
    ],
)
def test_a_wrong_state_changes_nothing(key, value, error):
    """Missing, unexpected, shape, dtype: typed, and all parameters stay as they were."""
    graph = small_network(np.random.default_rng(0))
    before = graph.state_dict()
    state = {name: array + 1 for name, array in before.items()}
    if value is None:
        del state[key]
    else:
        state[key] = value
    with pytest.raises(error, match=key):
        graph.load_state_dict(state)
    for name, array in graph.state_dict().items():
        assert_array_equal(array, before[name])


def test_configuration_round_trip():
    """Through JSON to a network of the same architecture; weights come from the generator."""
    graph = small_network(np.random.default_rng(0))
    config = json.loads(json.dumps(graph.config()))
    twin = nn.Graph.from_config(config, np.random.default_rng(1))
    assert twin.config() == graph.config()
    assert twin.shapes() == graph.shapes()
    twin.load_state_dict(graph.state_dict())
    x = np.ones((1, 4, 5, 2), np.float32)
    assert_array_equal(twin(x), graph(x))


@pytest.mark.parametrize(
    "change",
    [
        {"nodes": [{"name": "a"}]},
        {"nodes": 3},
        {"nodes": [{"name": "a", "layer": "ReLU", "config": {}, "inputs": ["z"]}]},
        {"nodes": [{"name": "a", "layer": ["ReLU"], "config": {}, "inputs": ["input"]}]},
        {"nodes": [{"name": ["a"], "layer": "ReLU", "config": {}, "inputs": ["input"]}]},
        {"input_shape": None},
        {"input_shape": ["x", 2]},
        {"output": "z"},
    ],
)
def test_a_wrong_configuration_is_a_graph_error(change):
    """Whatever is wrong with it."""
    node = {"name": "a", "layer": "ReLU", "config": {}, "inputs": ["input"]}
    config = {"input_shape": [3], "nodes": [node], "output": "a"}
    nn.Graph.from_config(config, np.random.default_rng(0))
    with pytest.raises(GraphError):
        nn.Graph.from_config(config | change, np.random.default_rng(0))


def test_copies_are_independent():
    """`copy` keeps the dtype, `astype` changes it; training one leaves the other."""
    graph = small_network(np.random.default_rng(0))
    for twin, dtype in ((graph.copy(), np.float32), (graph.astype(np.float64), np.float64)):
        for key, value in twin.parameters().items():
            assert value.dtype == dtype
            value += 1
            assert not np.shares_memory(value, graph.parameters()[key])
        assert twin.config() == graph.config()


def test_counts():
    """Parameters without running statistics, and products per example."""
    graph = small_network(np.random.default_rng(0))
    assert graph.count_parameters() == 54 + 6 + 9 + 30 + 54 + 3
    assert graph.macs() == 20 * 54 + 20 * 6 + 6 * 27 + 54


@pytest.mark.parametrize(
    ("x", "error"),
    [
        (np.zeros((1, 4, 5, 3), np.float32), ShapeError),
        (np.zeros((4, 5, 2), np.float32), ShapeError),
        (np.zeros((1, 4, 5, 2)), DTypeError),
    ],
)
def test_inputs_are_checked(x, error):
    """Rank, size, dtype: nothing is cast."""
    graph = small_network(np.random.default_rng(0))
    for call in (graph, graph.forward):
        with pytest.raises(error, match="x must have"):
            call(x)


def test_an_empty_batch_has_an_empty_result():
    """In inference; in training there are no moments to take."""
    graph = small_network(np.random.default_rng(0))
    x = np.zeros((0, 4, 5, 2), np.float32)
    assert graph(x).shape == (0, 3)
    with pytest.raises(ShapeError, match="empty batch"):
        graph.forward(x, training=True, rng=np.random.default_rng(0))


def test_threads_may_share_a_network():
    """Eight passes on four threads give what one thread gives, bit for bit."""
    graph = small_network(np.random.default_rng(0))
    xs = np.random.default_rng(1).standard_normal((8, 3, 4, 5, 2), dtype=np.float32)

    def work(i: int) -> dict[str, np.ndarray]:
        y, tape = graph.forward(xs[i], training=True, rng=np.random.default_rng(i))
        return graph.backward(y, tape)[1]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(8)))
    for i, grads in enumerate(results):
        for key, value in work(i).items():
            assert_array_equal(grads[key], value)


def test_unknown_layers_are_named():
    """With the names that exist."""
    graph = nn.Sequential((3,), [nn.ReLU()])
    assert isinstance(graph["relu1"], nn.ReLU)
    with pytest.raises(GraphError, match=r"'relu2'.*relu1"):
        graph["relu2"]
