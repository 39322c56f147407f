"""Arguments that do not fit together are refused before anything is trained."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from strategies.training import smooth_network, tiny_dataset, tiny_network

from kdq_ref import nn
from kdq_ref.data import Dataset
from kdq_ref.distill import generate_soft_labels
from kdq_ref.errors import (
    DTypeError,
    InvalidArgumentError,
    KdqError,
    RangeError,
    ShapeError,
)
from kdq_ref.train import Distillation, HardLabels, TrainConfig
from kdq_ref.train.gradient import Task
from kdq_ref.train.task import make_identity, make_task

DATASET = tiny_dataset()
WIDE = Dataset("wide", np.zeros((3, 5, 5, 1), np.uint8), np.zeros(3, int), ("a", "b", "c"), 255)
FOUR = dataclasses.replace(DATASET, classes=("a", "b", "c", "d"))
SOFT = Distillation(temperature=2.0)


def _task(**change: Any) -> Task:
    arguments: dict[str, Any] = {
        "graph": tiny_network(),
        "train": DATASET,
        "validation": None,
        "config": TrainConfig(1),
        "objective": HardLabels(),
        "labels": None,
        "teacher": None,
    }
    return make_task(**(arguments | change))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"train": DATASET.subset(slice(0))}, ShapeError, "no image to train on"),
        ({"train": WIDE}, ShapeError, r"reads images \(5, 4, 1\)"),
        ({"validation": WIDE}, ShapeError, "those of 'wide'"),
        ({"train": FOUR}, ShapeError, "has 4 classes"),
        ({"graph": tiny_network().astype(np.float64)}, DTypeError, "dtype float32"),
        ({"config": TrainConfig(1, shift=4)}, RangeError, "shift"),
        ({"labels": np.zeros(21, np.int64)}, ShapeError, "labels"),
        ({"labels": np.zeros(22, np.int32)}, DTypeError, "labels"),
        ({"labels": np.full(22, 3)}, RangeError, "labels"),
        ({"labels": np.full(22, -2)}, RangeError, "labels"),
        ({"labels": np.full(22, -1)}, InvalidArgumentError, "22 of 22 images have no label"),
        ({"objective": SOFT}, InvalidArgumentError, "needs a teacher"),
        ({"teacher": tiny_network()}, InvalidArgumentError, "has no use for a teacher"),
        (
            {"objective": SOFT, "teacher": nn.Sequential((4,), [nn.ReLU()])},
            ShapeError,
            "the teacher reads",
        ),
        (
            {"objective": SOFT, "teacher": generate_soft_labels(tiny_network(), tiny_dataset(21))},
            InvalidArgumentError,
            "belong to other images",
        ),
    ],
)
def test_misfits(change: dict[str, Any], error: type[KdqError], message: str) -> None:
    """Each misfit is a typed error that says what is wrong."""
    with pytest.raises(error, match=message):
        _task(**change)


def test_unlabelled_images_are_for_distillation() -> None:
    """Labels of -1 are fine where there is a teacher, and the given labels replace the others."""
    labels = np.where(np.arange(22) < 5, DATASET.labels, -1)
    task = _task(objective=SOFT, labels=labels, teacher=smooth_network())
    np.testing.assert_array_equal(task.labels, labels)


def test_identity_holds_what_decides_the_result() -> None:
    """Another dataset, label, teacher, objective or network is another identity; threads not."""
    soft = generate_soft_labels(smooth_network(), DATASET)
    labels = DATASET.labels.copy()
    labels[3] = (labels[3] + 1) % 3
    tasks = [
        (_task(), None),
        (_task(), DATASET),
        (_task(), tiny_dataset(seed=1)),
        (_task(labels=labels), None),
        (_task(train=tiny_dataset(seed=1)), None),
        (_task(graph=smooth_network()), None),
        (_task(objective=HardLabels(0.1)), None),
        (_task(objective=SOFT, teacher=smooth_network()), None),
        (_task(objective=SOFT, teacher=smooth_network(seed=1)), None),
        (_task(objective=SOFT, teacher=soft), None),
        (_task(config=TrainConfig(1, seed=1)), None),
    ]
    texts = [json.dumps(make_identity(*arguments)) for arguments in tasks]
    assert len(set(texts)) == len(texts)
    threaded = make_identity(_task(config=TrainConfig(1, threads=5)), None)
    assert json.dumps(threaded) == texts[0]
