"""What all optimizers share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies.layers import generators

from kdq_ref import optim
from kdq_ref.errors import DTypeError, InvalidArgumentError, RangeError, ShapeError
from kdq_ref.optim import optimizer

KINDS = {
    "sgd": lambda: optim.SGD(),
    "momentum": lambda: optim.SGD(0.9, weight_decay=0.1),
    "nesterov": lambda: optim.SGD(0.9, nesterov=True),
    "adam": lambda: optim.Adam(weight_decay=0.1),
    "adamw": lambda: optim.AdamW(),
}
every_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


def draw(rng: np.random.Generator, steps: int):
    """Parameters and a list of gradients."""
    shapes = {"a.w": (3, 4), "a.b": (4,), "scalar": ()}
    params = {k: rng.standard_normal(s).astype(np.float32) for k, s in shapes.items()}
    grads = [
        {k: rng.standard_normal(s).astype(np.float32) for k, s in shapes.items()}
        for _ in range(steps)
    ]
    return {k: np.ascontiguousarray(v).reshape(shapes[k]) for k, v in params.items()}, grads


@every_kind
@given(rng=generators, before=st.integers(0, 3))
def test_a_loaded_state_continues_to_the_same_bits(make, rng, before):
    """Interrupted anywhere, resumed in a new optimizer."""
    params, grads = draw(rng, 5)
    copied = {key: value.copy() for key, value in params.items()}
    straight, first, second = make(), make(), make()
    for grad in grads:
        straight.update(params, grad, 0.1)
    for grad in grads[:before]:
        first.update(copied, grad, 0.1)
    second.load_state_dict(first.state_dict())
    for grad in grads[before:]:
        second.update(copied, grad, 0.1)
    assert second.steps == 5
    for key, value in params.items():
        assert_array_equal(value, copied[key])
        assert value.dtype == np.float32


@every_kind
def test_block_by_block_is_all_at_once(make, monkeypatch):
    """Updates are element-wise, so cutting them up changes no bit."""
    rng = np.random.default_rng(0)
    params, grads = draw(rng, 2)
    copied = {key: value.copy() for key, value in params.items()}
    whole, cut = make(), make()
    for grad in grads:
        whole.update(params, grad, 0.1)
    monkeypatch.setattr(optimizer, "BLOCK", 5)
    for grad in grads:
        cut.update(copied, grad, 0.1)
    for key, value in params.items():
        assert_array_equal(value, copied[key])


@every_kind
def test_gradients_are_not_written_to(make):
    """They may be shared with a log or another optimizer."""
    params, (grad,) = draw(np.random.default_rng(0), 1)
    copied = {key: value.copy() for key, value in grad.items()}
    make().update(params, grad, 0.1)
    for key, value in grad.items():
        assert_array_equal(value, copied[key])


def test_rates_may_be_numpy_scalars():
    """A float64 scalar promotes nothing: the same bits as with a float."""
    results = []
    for lr, momentum in ((0.1, 0.9), (np.float64(0.1), np.float64(0.9))):
        params, grads = draw(np.random.default_rng(0), 2)
        sgd = optim.SGD(momentum, nesterov=True, weight_decay=momentum)
        for grad in grads:
            sgd.update(params, grad, lr)
        results.append(params["a.w"])
    assert_array_equal(*results)


def test_state_dict_is_a_copy():
    """Going on does not change a state taken earlier."""
    params, grads = draw(np.random.default_rng(0), 2)
    adam = optim.Adam()
    adam.update(params, grads[0], 0.1)
    state = adam.state_dict()
    assert set(state) == {"steps"} | {f"{s}.{k}" for s in ("mean", "square") for k in params}
    kept = {key: value.copy() for key, value in state.items()}
    adam.update(params, grads[1], 0.1)
    for key, value in state.items():
        assert_array_equal(value, kept[key])


W = np.zeros((2, 2), np.float32)


@pytest.mark.parametrize(
    ("params", "grads", "lr", "error"),
    [
        ({"w": W}, {}, 0.1, InvalidArgumentError),
        ({"w": W.T[:1].T}, {"w": W[:, :1]}, 0.1, InvalidArgumentError),
        ({"w": W}, {"w": W[0]}, 0.1, ShapeError),
        ({"w": W}, {"w": W.astype(float)}, 0.1, DTypeError),
        ({"w": W}, {"w": W}, -0.1, RangeError),
        ({"w": W}, {"w": W}, float("nan"), RangeError),
    ],
)
def test_faults_of_an_update(params, grads, lr, error):
    """Typed, and named where there is a name."""
    with pytest.raises(error):
        optim.SGD().update(params, grads, lr)


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ({}, InvalidArgumentError),
        ({"steps": np.array(1), "mean.w": W}, InvalidArgumentError),
        ({"steps": np.zeros(2, np.int64)}, ShapeError),
        ({"steps": np.array(1.0)}, DTypeError),
    ],
)
def test_faults_of_a_state(state, error):
    """A state of Adam does not load into SGD."""
    with pytest.raises(error):
        optim.SGD(0.9).load_state_dict(state)


def test_a_state_of_another_network_is_found_at_the_next_update():
    """The first moment an optimizer sees the parameters."""
    sgd = optim.SGD(0.9)
    sgd.load_state_dict({"steps": np.array(1), "velocity.w": np.zeros(3, np.float32)})
    with pytest.raises(ShapeError, match=r"velocity\.w"):
        sgd.update({"w": W}, {"w": W}, 0.1)
