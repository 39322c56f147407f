"""Everything a training run can be told."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kdq_ref import optim
from kdq_ref.checks import check_in_range, check_int, check_positive_int
from kdq_ref.errors import InvalidArgumentError
from kdq_ref.optim import Optimizer, Schedule

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": optim.SGD,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
}
_COUNT_STEPS = frozenset({"cosine", "one_cycle"})
SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "constant": optim.constant,
    "step": optim.step,
    "cosine": optim.cosine,
    "one_cycle": optim.one_cycle,
}
# What optim counts in steps and people count in epochs.
_IN_EPOCHS = ("warmup", "every")


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a training run; with the data and the initial weights they decide every bit.

    Attributes
    ----------
    epochs, batch_size : int
    lr : float
        Peak learning rate.
    optimizer : {"sgd", "adam", "adamw"}
    optimizer_options : mapping
        Keyword arguments of the class in :mod:`kdq_ref.optim`: ``{"momentum": 0.9}``.
    schedule : {"cosine", "one_cycle", "step", "constant"}
        One step per batch. `cosine` and `one_cycle` span the whole run.
    schedule_options : mapping
        Keyword arguments of the function in :mod:`kdq_ref.optim`, where ``warmup`` and ``every``
        count epochs (fractions are fine).
    micro_batch : int
        A batch is worked on in parts of nearly equal size, none larger than this. Batch norm
        sees one part at a time.
    shift : int
        Augmentation: random offsets of up to this many pixels.
    flip : bool
        Augmentation: mirror half of the images.
    seed : int
        Decides order, augmentation and dropout; not the initial weights.
    threads : int
        How many parts are worked on at once. The only setting that changes no bit.

    Raises
    ------
    RangeError, DTypeError, InvalidArgumentError
        A value that makes no sense, named.
    """

    epochs: int
    batch_size: int = 128
    lr: float = 0.1
    optimizer: str = "sgd"
    optimizer_options: Mapping[str, Any] = field(default_factory=dict)
    schedule: str = "cosine"
    schedule_options: Mapping[str, Any] = field(default_factory=dict)
    micro_batch: int = 32
    shift: int = 0
    flip: bool = False
    seed: int = 0
    threads: int = 2

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "micro_batch", "threads"):
            check_positive_int(name, getattr(self, name))
        for name in ("shift", "seed"):
            check_int(name, getattr(self, name), 0)
        check_in_range("lr", self.lr, 0.0, sys.float_info.max)
        try:
            json.dumps(self.identity(), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError(
                f"options must be plain finite JSON values: {error}"
            ) from error
        self.make_optimizer()
        # Any number of steps will do to find out whether the options are understood.
        self.make_schedule(1000)

    def make_optimizer(self) -> Optimizer:
        """Build the optimizer, before its first step."""
        return _build("optimizer", OPTIMIZERS, self.optimizer, self.optimizer_options)

    def make_schedule(self, steps_per_epoch: int) -> Schedule:
        """Build the learning rate as a function of the step, counted from 0."""
        options = dict(self.schedule_options)
        for name in _IN_EPOCHS:
            if name in options:
                epochs = check_in_range(name, options[name], 0.0, float(self.epochs))
                options[name] = round(epochs * steps_per_epoch)
        if self.schedule in _COUNT_STEPS:
            options["steps"] = self.epochs * steps_per_epoch
        return _build("schedule", SCHEDULES, self.schedule, {"lr": self.lr, **options})

    def identity(self) -> dict[str, Any]:
        """Return the settings that decide the result: all but `threads`."""
        settings = dataclasses.asdict(self)
        del settings["threads"]
        return settings


def _build(
    what: str, makers: Mapping[str, Callable[..., Any]], name: str, options: Mapping[str, Any]
) -> Any:
    if name not in makers:
        raise InvalidArgumentError(f"{what} must be one of {', '.join(makers)}, got {name!r}")
    try:
        return makers[name](**options)
    except TypeError as error:
        raise InvalidArgumentError(
            f"{what} {name!r} does not take {dict(options)}: {error}"
        ) from error
