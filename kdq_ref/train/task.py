"""Arguments of a training run: do they fit together, and are they those of a checkpoint?"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from kdq_ref.checks import check_array, check_in_range, check_labels
from kdq_ref.data import Dataset
from kdq_ref.distill import UNLABELLED, SoftLabels, digest_of, images_digest
from kdq_ref.errors import InvalidArgumentError, ShapeError
from kdq_ref.files import tensors_digest
from kdq_ref.nn import Graph
from kdq_ref.train.config import TrainConfig
from kdq_ref.train.gradient import Task
from kdq_ref.train.objective import HardLabels, Objective


def make_task(
    graph: Graph,
    train: Dataset,
    validation: Dataset | None,
    config: TrainConfig,
    objective: Objective,
    labels: np.ndarray | None,
    teacher: Graph | SoftLabels | None,
) -> Task:
    """Check the arguments of :func:`~kdq_ref.train.fit` against each other.

    Raises
    ------
    InvalidArgumentError, ShapeError, DTypeError, RangeError
    """
    if not len(train):
        raise ShapeError(f"dataset {train.name!r} holds no image to train on")
    check_in_range("shift", config.shift, 0, min(train.input_shape[:2]) - 1)
    _check_network("the network", graph, train)
    if validation is not None:
        _check_network("the network", graph, validation)
    known = _check_train_labels(train, labels)
    if isinstance(objective, HardLabels) and UNLABELLED in known:
        raise InvalidArgumentError(
            f"{np.count_nonzero(known == UNLABELLED)} of {len(known)} images have no label, which "
            f"only distillation can use; train on dataset.subset(labelled)"
        )
    return Task(graph, train, known, _check_teacher(train, objective, teacher), objective, config)


def make_identity(task: Task, validation: Dataset | None) -> dict[str, Any]:
    """Return what decides the run's result, as plain JSON: a resumed run must have the same.

    The initial weights are not in it: a checkpoint replaces them.
    """
    teacher = task.teacher
    identity = {
        "config": task.config.identity(),
        "objective": task.objective.identity(),
        "graph": task.graph.config(),
        "data": {
            "train_images": images_digest(task.dataset),
            "train_labels": tensors_digest({"labels": task.labels}),
            "validation": None if validation is None else _dataset_digest(validation),
            "teacher": digest_of(teacher) if isinstance(teacher, Graph) else None,
            "soft_labels": (
                tensors_digest({"logits": teacher}) if isinstance(teacher, np.ndarray) else None
            ),
        },
    }
    # Tuples become lists, as they will be in the file.
    plain: dict[str, Any] = json.loads(json.dumps(identity))
    return plain


def _dataset_digest(dataset: Dataset) -> str:
    return tensors_digest({"labels": dataset.labels}, images_digest(dataset))


def _check_network(name: str, graph: Graph, dataset: Dataset) -> None:
    if graph.input_shape != dataset.input_shape:
        raise ShapeError(
            f"{name} reads images {graph.input_shape}, those of {dataset.name!r} "
            f"are {dataset.input_shape}"
        )
    output = graph.shapes()[graph.output]
    if output != (len(dataset.classes),):
        raise ShapeError(
            f"{name} ends in shape {output}, but {dataset.name!r} has "
            f"{len(dataset.classes)} classes; end it in Dense(..., {len(dataset.classes)})"
        )
    for key, array in graph.parameters().items():
        check_array(f"{name}'s parameter {key}", array, dtype=np.float32)


def _check_train_labels(train: Dataset, labels: np.ndarray | None) -> np.ndarray:
    if labels is None:
        return train.labels
    given = check_array("labels", labels, dtype=np.int64, shape=(len(train),))
    check_labels("labels", given[given != UNLABELLED], len(train.classes))
    return given


def _check_teacher(
    train: Dataset, objective: Objective, teacher: Graph | SoftLabels | None
) -> Graph | np.ndarray | None:
    if objective.needs_teacher != (teacher is not None):
        verb = "needs a teacher" if objective.needs_teacher else "has no use for a teacher"
        raise InvalidArgumentError(f"{objective} {verb}")
    if teacher is None:
        return None
    if isinstance(teacher, Graph):
        _check_network("the teacher", teacher, train)
        return teacher
    teacher.check_dataset(train)
    return check_array("soft labels", teacher.logits, shape=(len(train), len(train.classes)))
