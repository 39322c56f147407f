"""From options to training settings."""

from __future__ import annotations

import pytest

from kdq_ref.cli import training
from kdq_ref.errors import InvalidArgumentError
from kdq_ref.train import TrainConfig

RECIPE = TrainConfig(
    epochs=3,
    lr=0.1,
    optimizer_options={"momentum": 0.9, "nesterov": True},
    schedule_options={"warmup": 1.0},
    shift=2,
)


def test_nothing_given_is_the_recipe() -> None:
    """None means the recipe's value, for every option."""
    names = [parameter.name for parameter in _parameters()]
    assert training.with_choices(RECIPE, dict.fromkeys(names)) == RECIPE


def test_given_values_replace_those_of_the_recipe() -> None:
    """Zero and False are values; options of the optimizer are replaced one by one."""
    given = {"lr": 0.0, "shift": 0, "flip": False, "nesterov": False, "batch_size": 7}
    config = training.with_choices(RECIPE, given)
    assert (config.lr, config.shift, config.batch_size) == (0.0, 0, 7)
    assert config.optimizer_options == {"momentum": 0.9, "nesterov": False}
    assert config.schedule_options == {"warmup": 1.0}


def test_another_optimizer_starts_from_its_own_defaults() -> None:
    """Momentum is not handed to Adam, nor warm-up to a stepped rate."""
    given = {"optimizer": "adam", "weight_decay": 0.1, "schedule": "step", "every": 1.0}
    config = training.with_choices(RECIPE, given)
    assert config.optimizer_options == {"weight_decay": 0.1}
    assert config.schedule_options == {"every": 1.0}


def test_options_that_do_not_go_together() -> None:
    """An option of another optimizer is an error, not ignored."""
    with pytest.raises(InvalidArgumentError, match="momentum"):
        training.with_choices(RECIPE, {"optimizer": "adam", "momentum": 0.5})


def _parameters():
    def function() -> None: ...

    return training.config_options(function).__click_params__
