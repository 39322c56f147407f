"""Settings: what is accepted, what is refused, what they mean in steps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kdq_ref import optim
from kdq_ref.errors import DTypeError, InvalidArgumentError, RangeError
from kdq_ref.train import OPTIMIZERS, SCHEDULES, TrainConfig


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"epochs": 0}, RangeError),
        ({"epochs": 1.5}, DTypeError),
        ({"batch_size": 0}, RangeError),
        ({"micro_batch": -1}, RangeError),
        ({"threads": 0}, RangeError),
        ({"seed": -1}, RangeError),
        ({"shift": -1}, RangeError),
        ({"lr": -0.1}, RangeError),
        ({"lr": float("nan")}, RangeError),
        ({"lr": float("inf")}, RangeError),
        ({"optimizer": "lion"}, InvalidArgumentError),
        ({"optimizer_options": {"momentun": 0.9}}, InvalidArgumentError),
        ({"optimizer_options": {"momentum": 2.0}}, RangeError),
        ({"optimizer_options": {"momentum": {1}}}, InvalidArgumentError),
        ({"schedule": "linear"}, InvalidArgumentError),
        ({"schedule_options": {"warm": 1}}, InvalidArgumentError),
        ({"schedule_options": {"warmup": -1}}, RangeError),
        ({"schedule_options": {"warmup": 9}}, RangeError),
        ({"schedule_options": {"final": float("inf")}}, InvalidArgumentError),
    ],
)
def test_nonsense_is_refused_at_once(change: dict[str, Any], error: type[Exception]) -> None:
    """Each bad setting is a typed error when the configuration is made, not epochs later."""
    with pytest.raises(error):
        TrainConfig(**({"epochs": 5} | change))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_by_name(name: str) -> None:
    """Every optimizer can be named and takes its options."""
    config = TrainConfig(1, optimizer=name, optimizer_options={"weight_decay": 0.5})
    optimizer = config.make_optimizer()
    assert type(optimizer) is OPTIMIZERS[name]
    assert vars(optimizer)["weight_decay"] == 0.5


def test_schedules_span_the_run_and_count_epochs() -> None:
    """Options in epochs become steps; the total is epochs times steps per epoch."""
    options: dict[str, dict[str, Any]] = {
        "constant": {},
        "step": {"every": 2, "gamma": 0.5},
        "cosine": {"warmup": 0.5, "final": 0.01},
        "one_cycle": {"rise": 0.25},
    }
    expected = {
        "constant": optim.constant(0.3),
        "step": optim.step(0.3, 20, 0.5),
        "cosine": optim.cosine(0.3, 60, warmup=5, final=0.01),
        "one_cycle": optim.one_cycle(0.3, 60, rise=0.25),
    }
    assert expected.keys() == SCHEDULES.keys()
    for name, schedule in expected.items():
        config = TrainConfig(6, lr=0.3, schedule=name, schedule_options=options[name])
        made = config.make_schedule(10)
        assert [made(step) for step in range(60)] == [schedule(step) for step in range(60)]


def test_identity_is_all_but_threads() -> None:
    """Threads change no bit, so they may change; everything else is in the identity, as JSON."""
    config = TrainConfig(3, optimizer="adam", optimizer_options={"betas": (0.5, 0.9)}, threads=7)
    identity = json.loads(json.dumps(config.identity()))
    assert "threads" not in identity
    again = TrainConfig(**identity)
    assert json.loads(json.dumps(again.identity())) == identity
    assert set(identity) | {"threads"} == set(vars(config))
