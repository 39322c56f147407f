"""The training loop."""

from __future__ import annotations

import itertools
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdq_ref.data import Dataset, batches
from kdq_ref.distill import SoftLabels, Workers
from kdq_ref.errors import (
    CheckpointError,
    InvalidArgumentError,
    TrainingDivergedError,
    TrainingInterrupted,
)
from kdq_ref.functional.memory import keep_freed_memory
from kdq_ref.nn import Graph
from kdq_ref.train.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint
from kdq_ref.train.config import TrainConfig
from kdq_ref.train.evaluate import Evaluation, evaluate
from kdq_ref.train.float_model import save_float_model
from kdq_ref.train.gradient import Task, batch_gradient
from kdq_ref.train.history import EpochRecord, HistoryFile
from kdq_ref.train.interrupt import Stopped, StopRequest
from kdq_ref.train.objective import HardLabels, Objective
from kdq_ref.train.progress import Reporter
from kdq_ref.train.task import make_identity, make_task

LAST, BEST, HISTORY = "last.safetensors", "best.safetensors", "history.jsonl"


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a finished run leaves besides the trained network.

    Attributes
    ----------
    history : tuple of EpochRecord
    best_epoch : int
        Of the highest validation accuracy; of equals the lowest validation loss, then the first.
        The last epoch if there is no validation set.
    best_state : dict of str to ndarray
        The network at that epoch, for `Graph.load_state_dict`.
    """

    history: tuple[EpochRecord, ...]
    best_epoch: int
    best_state: dict[str, np.ndarray]


def fit(
    graph: Graph,
    train: Dataset,
    validation: Dataset | None,
    config: TrainConfig,
    *,
    objective: Objective | None = None,
    labels: np.ndarray | None = None,
    teacher: Graph | SoftLabels | None = None,
    directory: str | os.PathLike[str] | None = None,
    resume: bool = False,
    reporter: Reporter | None = None,
) -> FitResult:
    """Train a network in place; afterwards it has the weights of the last epoch.

    The result is a function of the initial weights, the data, `objective`, the teacher and
    `config`: the same bits for any number of threads, and however often the run was stopped and
    resumed. (Of the same NumPy on the same kind of machine: BLAS libraries round differently.)

    Parameters
    ----------
    graph : Graph
        float32, with one logit per class.
    train : Dataset
    validation : Dataset or None
        Measured after every epoch, never trained on. None (or an empty one) measures nothing.
    config : TrainConfig
    objective : Objective, optional
        Default: `HardLabels()`.
    labels : (N,) int64 ndarray, optional
        Replaces the labels of `train`; -1 marks an image whose label may not be used.
    teacher : Graph or SoftLabels, optional
        For objectives that need one. A network sees the same augmented images as the student;
        soft labels are those of the plain images.
    directory : path-like, optional
        Gets ``last.safetensors`` (checkpoint, after every epoch), ``best.safetensors`` (float
        model) and ``history.jsonl``. Without it nothing is written.
    resume : bool
        Go on from the checkpoint in `directory`, if there is one. Otherwise a new run replaces
        what is there.
    reporter : Reporter, optional
        Default: silence.

    Returns
    -------
    FitResult

    Raises
    ------
    TrainingInterrupted
        After SIGINT or SIGTERM: within one batch, with a checkpoint if there is a directory.
        (Only the main thread is told of signals. A second one has its usual effect at once.)
    TrainingDivergedError
        The loss became NaN or infinite; the files keep the last good epoch.
    CheckpointError
        The checkpoint is damaged, or of another run; the message says what differs.
    InvalidArgumentError, ShapeError, DTypeError, RangeError
        Arguments that do not fit together.
    """
    if resume and directory is None:
        raise InvalidArgumentError("resume needs the directory that holds the checkpoint")
    objective = HardLabels() if objective is None else objective
    validation = validation if validation is not None and len(validation) else None
    task = make_task(graph, train, validation, config, objective, labels, teacher)
    run = _Run(task, validation, Reporter() if reporter is None else reporter)
    if directory is not None:
        run.open(Path(directory), make_identity(task, validation), resume)
    return run.go()


class _Run:
    """One call of `fit`."""

    def __init__(self, task: Task, validation: Dataset | None, reporter: Reporter) -> None:
        self.task, self.validation, self.reporter = task, validation, reporter
        config = task.config
        self.steps_per_epoch = math.ceil(len(task.dataset) / config.batch_size)
        self.params = task.graph.parameters()
        self.optimizer = config.make_optimizer()
        self.schedule = config.make_schedule(self.steps_per_epoch)
        self.progress = Progress()
        self.history: list[EpochRecord] = []
        self.best: dict[str, np.ndarray] = {}
        self.directory: Path | None = None
        self.identity: dict[str, object] = {}
        self.history_file: HistoryFile | None = None

    def open(self, directory: Path, identity: dict[str, object], resume: bool) -> None:
        """Go on from the checkpoint that is there, or put a new one there."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.identity = directory, identity
        last = directory / LAST
        if resume and last.exists():
            self._restore(last)
        else:
            if resume:
                self.reporter.note(f"no checkpoint in {directory}: starting afresh")
            (directory / BEST).unlink(missing_ok=True)
            self._save()
        self.history_file = HistoryFile(directory / HISTORY, self.history)

    def _restore(self, path: Path) -> None:
        checkpoint = load_checkpoint(path)
        checkpoint.check_identity(path, self.identity)
        progress, done = checkpoint.progress, checkpoint.progress.epochs * self.steps_per_epoch
        room = self.steps_per_epoch if progress.epochs < self.task.config.epochs else 0
        if not done <= progress.step <= done + room:
            raise CheckpointError(
                path, f"{progress} is impossible with {self.steps_per_epoch} steps per epoch"
            )
        self.task.graph.load_state_dict(checkpoint.model)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.progress, self.history, self.best = progress, list(checkpoint.history), checkpoint.best
        self.reporter.note(f"resumed after epoch {progress.epochs}, step {progress.step}")

    def _save(self) -> None:
        if self.directory is None:
            return
        checkpoint = Checkpoint(
            identity=self.identity,
            progress=self.progress,
            history=tuple(self.history),
            model=self.task.graph.state_dict(),
            optimizer=self.optimizer.state_dict(),
            best=self.best,
        )
        save_checkpoint(self.directory / LAST, checkpoint)

    def go(self) -> FitResult:
        """Train to the end, or to a signal."""
        config = self.task.config
        stop = StopRequest()
        keep_freed_memory()
        self.reporter.start(
            epochs=config.epochs,
            steps=config.epochs * self.steps_per_epoch,
            done=self.progress.step,
        )
        try:
            with Workers(config.threads) as workers, stop:
                while self.progress.epochs < config.epochs:
                    self._epoch(workers, stop)
                    stop.check()
        except Stopped:
            self._save()
            raise self._interrupted(stop) from None
        finally:
            self.reporter.finish()
        return FitResult(tuple(self.history), self.progress.best_epoch, self.best)

    def _interrupted(self, stop: StopRequest) -> TrainingInterrupted:
        path = None if self.directory is None else self.directory / LAST
        kept = "nothing was saved (no directory)" if path is None else f"resume from {path}"
        return TrainingInterrupted(
            f"stopped by {stop.signal_name} after step {self.progress.step}; {kept}", path
        )

    def _epoch(self, workers: Workers, stop: StopRequest) -> None:
        """Do what is left of the epoch under way."""
        config, progress = self.task.config, self.progress
        began, spent = time.perf_counter(), progress.seconds
        order = batches(
            len(self.task.dataset), config.batch_size, seed=config.seed, epoch=progress.epochs
        )
        done = progress.step - progress.epochs * self.steps_per_epoch
        for indices in itertools.islice(order, done, None):
            self._step(workers, indices)
            progress.seconds = spent + time.perf_counter() - began
            stop.check()
        measured = self._validate(stop)
        progress.seconds = spent + time.perf_counter() - began
        self._finish_epoch(measured)

    def _step(self, workers: Workers, indices: np.ndarray) -> None:
        progress = self.progress
        gradient = batch_gradient(self.task, workers, indices, progress.step)
        if not math.isfinite(gradient.loss):
            raise self._diverged("loss", gradient.loss)
        with np.errstate(all="ignore"):
            self.task.graph.update_statistics(gradient.tapes)
            self.optimizer.update(self.params, gradient.grads, self.schedule(progress.step))
        progress.step += 1
        progress.loss_sum += gradient.loss * gradient.images
        progress.images += gradient.images
        progress.labelled += gradient.labelled
        progress.correct += gradient.correct
        self.reporter.batch(
            epoch=progress.epochs + 1,
            images=gradient.images,
            loss=progress.loss_sum / progress.images,
            accuracy=self._train_accuracy(),
        )

    def _validate(self, stop: StopRequest) -> Evaluation | None:
        if self.validation is None:
            return None
        with np.errstate(all="ignore"):
            measured = evaluate(
                self.task.graph,
                self.validation,
                threads=self.task.config.threads,
                between=stop.check,
            )
        if not math.isfinite(measured.loss):
            raise self._diverged("validation loss", measured.loss)
        return measured

    def _finish_epoch(self, measured: Evaluation | None) -> None:
        progress = self.progress
        for name, array in self.task.graph.state_dict().items():
            if not np.isfinite(array).all():
                raise self._diverged(f"state {name}", math.nan)
        record = EpochRecord(
            epoch=progress.epochs + 1,
            step=progress.step,
            lr=float(self.schedule(progress.step - 1)),
            train_loss=progress.loss_sum / progress.images,
            train_accuracy=self._train_accuracy(),
            validation_loss=None if measured is None else measured.loss,
            validation_accuracy=None if measured is None else measured.accuracy,
            seconds=progress.seconds,
        )
        best_epoch = progress.best_epoch
        if not best_epoch or _score(record) > _score(self.history[best_epoch - 1]):
            best_epoch, self.best = record.epoch, self.task.graph.state_dict()
        self.history.append(record)
        self.progress = Progress(record.epoch, progress.step, best_epoch)
        if best_epoch == record.epoch and self.directory is not None:
            save_float_model(self.directory / BEST, self.task.graph, self._metadata(record))
        self._save()
        if self.history_file is not None:
            self.history_file.append(record)
        self.reporter.epoch(record)

    def _train_accuracy(self) -> float | None:
        progress = self.progress
        return progress.correct / progress.labelled if progress.labelled else None

    def _metadata(self, record: EpochRecord) -> dict[str, object]:
        return {
            **self.task.dataset.facts(),
            "epoch": record.epoch,
            "validation_accuracy": record.validation_accuracy,
            "validation_loss": record.validation_loss,
        }

    def _diverged(self, what: str, value: float) -> TrainingDivergedError:
        progress = self.progress
        rate = self.schedule(progress.step)
        return TrainingDivergedError(
            f"{what} is {value} in epoch {progress.epochs + 1} after step {progress.step}, "
            f"at learning rate {rate:.4g}; a smaller one, or some warm-up, may help"
        )


def _score(record: EpochRecord) -> tuple[float, float, int]:
    """Order epochs by validation accuracy, then loss; without validation the newest is best."""
    if record.validation_accuracy is None or record.validation_loss is None:
        return (0.0, 0.0, record.epoch)
    return (record.validation_accuracy, -record.validation_loss, 0)
