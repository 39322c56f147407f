"""All that a training run needs to go on: one file, read without trust.

Random numbers are drawn from generators seeded by the number of the step, so that there is no
generator state to keep.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kdq_ref.checks import check_array
from kdq_ref.errors import CheckpointError
from kdq_ref.files import load_tensors, save_tensors
from kdq_ref.nn import Graph
from kdq_ref.train.config import TrainConfig
from kdq_ref.train.float_model import MALFORMED, build_graph
from kdq_ref.train.history import EpochRecord
from kdq_ref.train.records import decode, differences

KIND = "checkpoint"
FORMAT = 1

_PARTS = ("model", "optimizer", "best")
_IDENTITY = {"config", "objective", "graph", "data"}
_NAMED_DIFFERENCES = 5


@dataclass
class Progress:
    """How far a run has come.

    Attributes
    ----------
    epochs : int
        Done, validation included.
    step : int
        Batches done. From ``epochs`` full ones up to one more epoch's, which may be complete but
        not validated.
    best_epoch : int
        The epoch of the best weights, counted from 1; 0 before the first.
    loss_sum : float
        Of the objective over the images of the epoch under way.
    images, labelled, correct : int
        Seen in the epoch under way.
    seconds : float
        Spent on the epoch under way.
    """

    epochs: int = 0
    step: int = 0
    best_epoch: int = 0
    loss_sum: float = 0.0
    images: int = 0
    labelled: int = 0
    correct: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run between two batches.

    Attributes
    ----------
    identity : dict
        ``config``, ``objective``, ``graph`` and ``data`` (digests): what must be the same to go on.
    progress : Progress
    history : tuple of EpochRecord
    model, optimizer, best : dict of str to ndarray
        State of the network, of the optimizer, and of the network at its best epoch (empty before
        the first).
    """

    identity: dict[str, Any]
    progress: Progress
    history: tuple[EpochRecord, ...]
    model: dict[str, np.ndarray]
    optimizer: dict[str, np.ndarray]
    best: dict[str, np.ndarray]

    def check_identity(self, path: str | os.PathLike[str], asked: dict[str, Any]) -> None:
        """Raise CheckpointError, saying what differs, unless this is the run that is asked for."""
        lines = differences(self.identity, asked)
        if lines:
            more = len(lines) - _NAMED_DIFFERENCES
            named = "; ".join(lines[:_NAMED_DIFFERENCES]) + (f"; {more} more" if more > 0 else "")
            raise CheckpointError(
                path,
                f"belongs to another run, resuming would not continue it ({named}); "
                f"start afresh, or use what it was started with",
            )


def save_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically: a kill leaves the old one or the new one."""
    tensors = {
        f"{part}/{name}": array
        for part in _PARTS
        for name, array in getattr(checkpoint, part).items()
    }
    manifest = {
        "identity": checkpoint.identity,
        "progress": asdict(checkpoint.progress),
        "history": [asdict(record) for record in checkpoint.history],
    }
    save_tensors(path, tensors, manifest, kind=KIND, format=FORMAT)


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint and check that all its parts belong together.

    Raises
    ------
    CheckpointError
        For any fault.
    """
    tensors, manifest = load_tensors(path, kind=KIND, error=CheckpointError, format=FORMAT)
    try:
        checkpoint = _decode(manifest, tensors)
        _check(checkpoint)
    except MALFORMED as fault:
        raise CheckpointError(path, f"is not a possible checkpoint: {fault}") from fault
    return checkpoint


def _decode(manifest: dict[str, Any], tensors: dict[str, np.ndarray]) -> Checkpoint:
    if manifest.keys() != {"identity", "progress", "history"}:
        raise ValueError(f"its manifest has the keys {sorted(manifest)}")
    if manifest["identity"].keys() != _IDENTITY:
        raise ValueError(f"its identity has the keys {sorted(manifest['identity'])}")
    parts: dict[str, dict[str, np.ndarray]] = {part: {} for part in _PARTS}
    for full_name, array in tensors.items():
        part, _, name = full_name.partition("/")
        parts[part][name] = array
    return Checkpoint(
        identity=manifest["identity"],
        progress=decode(Progress, manifest["progress"]),
        history=tuple(decode(EpochRecord, record) for record in manifest["history"]),
        **parts,
    )


def _check(checkpoint: Checkpoint) -> None:
    """Raise one of `MALFORMED` where parts contradict each other."""
    config = TrainConfig(**checkpoint.identity["config"])
    progress, history = checkpoint.progress, checkpoint.history
    graph = build_graph(checkpoint.identity["graph"], checkpoint.model)
    if progress.best_epoch:
        graph.load_state_dict(checkpoint.best)
    elif checkpoint.best:
        raise ValueError("it has best weights, but of no epoch")
    possible = (
        0 <= progress.best_epoch <= progress.epochs <= config.epochs
        and (progress.best_epoch > 0) == (progress.epochs > 0)
        and 0 <= progress.correct <= progress.labelled <= progress.images
        and [record.epoch for record in history] == list(range(1, progress.epochs + 1))
        and progress.step >= (history[-1].step if history else 0) >= 0
    )
    if not possible:
        raise ValueError(f"{progress} does not fit {len(history)} epochs of history")
    _check_optimizer(config, checkpoint, graph)


def _check_optimizer(config: TrainConfig, checkpoint: Checkpoint, graph: Graph) -> None:
    optimizer = config.make_optimizer()
    optimizer.load_state_dict(checkpoint.optimizer)
    if optimizer.steps != checkpoint.progress.step:
        raise ValueError(f"its optimizer did {optimizer.steps} of {checkpoint.progress.step} steps")
    wanted = {
        f"{slot}.{name}": array.shape
        for name, array in graph.parameters().items()
        for slot in optimizer.slots
    }
    arrays = {name: array for name, array in checkpoint.optimizer.items() if name != "steps"}
    if arrays.keys() != (wanted.keys() if optimizer.steps else set()):
        raise ValueError("its optimizer's arrays are not those of the network's parameters")
    for name, array in arrays.items():
        check_array(name, array, dtype=np.float32, shape=wanted[name])
