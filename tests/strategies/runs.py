"""Small training runs: whole, interrupted, compared bit for bit."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from strategies.training import same_bits, smooth_network, tiny_dataset

from kdq_ref import nn
from kdq_ref.distill import generate_soft_labels
from kdq_ref.errors import TrainingInterrupted
from kdq_ref.train import (
    BEST,
    HISTORY,
    LAST,
    Distillation,
    FitResult,
    Reporter,
    TrainConfig,
    fit,
    load_checkpoint,
    load_float_model,
)

TRAIN, VALIDATION = tiny_dataset(), tiny_dataset(70, seed=1)
SPE, EPOCHS = 4, 3  # 22 images in batches of 6 are 4 steps an epoch
CONFIG = TrainConfig(
    EPOCHS,
    6,
    lr=0.05,
    optimizer="sgd",
    optimizer_options={"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    schedule_options={"warmup": 0.5},
    micro_batch=4,
    shift=1,
    flip=True,
    seed=5,
)
LABELS = np.where(np.arange(22) % 2, TRAIN.labels, -1)
SETTINGS: dict[str, dict[str, Any]] = {
    "hard": {},
    "teacher": {
        "objective": Distillation(temperature=4.0),
        "teacher": smooth_network(9),
        "labels": LABELS,
    },
    "soft labels": {
        "objective": Distillation("logit_matching", lam=0.5),
        "teacher": generate_soft_labels(smooth_network(9), TRAIN),
        "labels": LABELS,
    },
}


class StopAt(Reporter):
    """Sends this process a signal after a step, or after an epoch is done."""

    def __init__(self, step: int, *, after_epoch: bool = False) -> None:
        self.left, self.after_epoch = step, after_epoch

    def batch(self, *, epoch: int, images: int, loss: float, accuracy: float | None) -> None:
        """Count down steps."""
        if not self.after_epoch:
            self._count()

    def epoch(self, record: Any) -> None:
        """Count down epochs."""
        if self.after_epoch:
            self._count()

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def fit_tiny(graph: nn.Graph, config: TrainConfig = CONFIG, **arguments: Any) -> FitResult:
    """Train on the tiny dataset."""
    return fit(graph, TRAIN, VALIDATION, config, **arguments)


def fit_interrupted(graph: nn.Graph, directory: Path, stop: Reporter, **arguments: Any) -> Path:
    """Start or resume a run that `stop` stops; return its checkpoint."""
    with pytest.raises(TrainingInterrupted, match="SIGINT") as caught:
        fit_tiny(graph, directory=directory, resume=True, reporter=stop, **arguments)
    assert caught.value.checkpoint == directory / LAST
    return caught.value.checkpoint


def _untimed(directory: Path) -> tuple[Any, ...]:
    """Everything a run leaves, less the seconds."""
    last = load_checkpoint(directory / LAST)
    lines = [json.loads(line) for line in (directory / HISTORY).read_text().splitlines()]
    for line in lines:
        assert line.pop("seconds") > 0
    history = [dataclasses.replace(record, seconds=0.0) for record in last.history]
    progress = dataclasses.replace(last.progress, seconds=0.0)
    best, metadata = load_float_model(directory / BEST)
    states = (last.model, last.optimizer, last.best, best.state_dict())
    return (lines, history, progress, last.identity, metadata), states


def assert_same_run(one: Path, other: Path) -> None:
    """Check that two directories hold the same run, to the bit."""
    (plain, states), (other_plain, other_states) = _untimed(one), _untimed(other)
    assert plain == other_plain
    assert all(same_bits(*pair) for pair in zip(states, other_states, strict=True))
