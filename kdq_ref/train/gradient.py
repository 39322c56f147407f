"""The gradient of one batch, computed in parts by several threads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kdq_ref.data import Dataset, augment
from kdq_ref.distill import UNLABELLED, Workers
from kdq_ref.nn import Graph, Tape
from kdq_ref.train.config import TrainConfig
from kdq_ref.train.objective import Objective

# Streams of random numbers are told apart by a word, so that no two purposes ever share one.
_AUGMENT = int.from_bytes(b"augment", "big")
_DROPOUT = int.from_bytes(b"dropout", "big")


@dataclass(frozen=True, eq=False)
class Task:
    """What is trained, on what, towards what.

    Attributes
    ----------
    graph : Graph
    dataset : Dataset
        Only its images are used.
    labels : (N,) int64 ndarray
        -1 where unknown.
    teacher : Graph, (N, C) ndarray or None
        A frozen network that sees the same augmented images as the student, or its logits for
        the plain images.
    objective : Objective
    config : TrainConfig
    """

    graph: Graph
    dataset: Dataset
    labels: np.ndarray
    teacher: Graph | np.ndarray | None
    objective: Objective
    config: TrainConfig


@dataclass
class Gradient:
    """The gradient of the mean loss over some images of a batch.

    Attributes
    ----------
    loss : float
        Sum over the images, divided by the batch's size.
    images, labelled, correct : int
    grads : dict of str to ndarray
    tapes : list of Tape
        For `Graph.update_statistics`.
    """

    loss: float
    images: int
    labelled: int
    correct: int
    grads: dict[str, np.ndarray]
    tapes: list[Tape]

    def add(self, other: Gradient) -> None:
        """Add that of other images of the batch, in place."""
        self.loss += other.loss
        self.images += other.images
        self.labelled += other.labelled
        self.correct += other.correct
        for name, grad in self.grads.items():
            grad += other.grads[name]
        self.tapes += other.tapes


def batch_gradient(task: Task, workers: Workers, indices: np.ndarray, step: int) -> Gradient:
    """Compute the gradient of one batch.

    Parameters
    ----------
    task : Task
    workers : Workers
        However many: the batch is cut by `micro_batch` alone, and the parts are added in order.
    indices : (B,) int64 ndarray
        The batch.
    step : int
        Seeds augmentation and dropout, together with the part's number.

    Returns
    -------
    Gradient
    """
    parts = np.array_split(indices, math.ceil(len(indices) / task.config.micro_batch))

    def part_gradient(number: int) -> Gradient:
        # What overflows shows up in the loss, which the caller looks at.
        with np.errstate(all="ignore"):
            return _part_gradient(task, parts[number], len(indices), [step, number])

    results = iter(workers.map(part_gradient, range(len(parts))))
    total = next(results)
    for result in results:
        total.add(result)
    return total


def _part_gradient(task: Task, indices: np.ndarray, batch: int, place: list[int]) -> Gradient:
    config, seed = task.config, task.config.seed
    images = task.dataset.images[indices]
    if config.shift or config.flip:
        rng = np.random.default_rng([seed, _AUGMENT, *place])
        images = augment(images, rng, shift=config.shift, flip=config.flip)
    x = task.dataset.to_input(images)
    labels = task.labels[indices]
    targets = {"labels": labels}
    if isinstance(task.teacher, Graph):
        targets["teacher"] = task.teacher(x)
    elif task.teacher is not None:
        targets["teacher"] = task.teacher[indices]

    rng = np.random.default_rng([seed, _DROPOUT, *place])
    logits, tape = task.graph.forward(x, training=True, rng=rng)
    loss, dlogits = task.objective(logits, targets)
    # The mean over the batch is the sum over parts of their means, weighted by size. Weighing the
    # few logits is cheaper than weighing the many gradients.
    weight = len(indices) / batch
    dlogits *= weight
    _, grads = task.graph.backward(dlogits, tape)
    return Gradient(
        loss=loss * weight,
        images=len(indices),
        labelled=int(np.count_nonzero(labels != UNLABELLED)),
        # Answers are never -1, so unlabelled images are never right.
        correct=int(np.count_nonzero(logits.argmax(axis=1) == labels)),
        grads=grads,
        tapes=[tape],
    )
