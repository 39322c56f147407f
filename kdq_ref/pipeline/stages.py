"""The float stages: train (or find trained) the teacher and both students."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdq_ref.data import Dataset
from kdq_ref.nn import Graph
from kdq_ref.pipeline.job import Prepared
from kdq_ref.pipeline.network import Trained, train_network
from kdq_ref.train import LAST, HardLabels, Objective, Reporter, TrainConfig

TITLES = ("teacher", "student_scratch", "student_distilled")
ReporterFactory = Callable[[str], Reporter]


def train_all(
    prepared: Prepared,
    directory: str | os.PathLike[str],
    *,
    resume: bool = False,
    reporter: ReporterFactory | None = None,
) -> tuple[Trained, Trained, Trained]:
    """Train the teacher, the student from scratch, and the distilled student.

    Each has a folder with checkpoints and history; its final weights are a float model beside it.
    Without ``resume``, checkpoints of an earlier job are removed first: one of them, found by a
    later ``resume``, would belong to another run.

    Returns
    -------
    teacher, student_scratch, student_distilled : Trained
    """
    recipe = prepared.recipe
    place = Path(directory)
    if not resume:
        for title in TITLES:
            (place / title / LAST).unlink(missing_ok=True)

    def stage(
        title: str,
        name: str,
        graph: Graph,
        dataset: Dataset,
        config: TrainConfig,
        objective: Objective,
        **distillation: Any,
    ) -> Trained:
        return train_network(
            prepared,
            name,
            graph,
            dataset,
            config,
            objective,
            directory=place / title,
            file=place / f"{title}.safetensors",
            resume=resume,
            reporter=reporter(title) if reporter else None,
            **distillation,
        )

    teacher = stage(
        "teacher",
        recipe.teacher,
        prepared.teacher(),
        prepared.labelled,
        recipe.teacher_config,
        HardLabels(),
    )
    student = recipe.student_config
    scratch = stage(
        "student_scratch",
        recipe.student,
        prepared.student(),
        prepared.labelled,
        student,
        HardLabels(),
    )
    distilled = stage(
        "student_distilled",
        recipe.student,
        prepared.student(),
        prepared.splits.train,
        student,
        prepared.distillation,
        teacher=teacher.graph,
        labels=prepared.known,
    )
    return teacher, scratch, distilled
