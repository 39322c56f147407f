"""The float stages: train (or find trained) the teacher and both students."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdq_ref.data import Dataset
from kdq_ref.nn import Graph
from kdq_ref.pipeline.job import Plan
from kdq_ref.train import (
    LAST,
    Evaluation,
    HardLabels,
    Objective,
    Reporter,
    TrainConfig,
    evaluate,
    fit,
    save_float_model,
)

TITLES = ("teacher", "student_scratch", "student_distilled")
ReporterFactory = Callable[[str], Reporter]


@dataclass(frozen=True, eq=False)
class Trained:
    """A float network after its training.

    Attributes
    ----------
    name : str
        In the zoo.
    graph : Graph
    test : Evaluation
    file : Path
    """

    name: str
    graph: Graph
    test: Evaluation
    file: Path

    def report(self) -> dict[str, Any]:
        """JSON-able facts: accuracy, parameters, bytes of the float32 weights, MACs."""
        parameters = self.graph.count_parameters()
        return {
            "name": self.name,
            "accuracy": self.test.accuracy,
            "loss": self.test.loss,
            "params": parameters,
            "bytes": 4 * parameters,
            "macs": self.graph.macs(),
        }


def train_all(
    plan: Plan,
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
    recipe, splits = plan.recipe, plan.splits
    validation = splits.validation
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
        fit(
            graph,
            dataset,
            validation,
            config,
            objective=objective,
            directory=place / title,
            resume=resume,
            reporter=reporter(title) if reporter else None,
            **distillation,
        )
        test = evaluate(graph, splits.test, threads=plan.job.threads)
        file = place / f"{title}.safetensors"
        facts = {
            "dataset": dataset.name,
            "classes": list(dataset.classes),
            "pixel_scale": dataset.pixel_scale,
            "zoo": name,
            "seed": plan.job.seed,
            "labels": plan.job.labels,
            "test_accuracy": test.accuracy,
        }
        save_float_model(file, graph, facts)
        return Trained(name, graph, test, file)

    teacher = stage(
        "teacher",
        recipe.teacher,
        plan.teacher(),
        plan.labelled,
        recipe.teacher_config,
        HardLabels(),
    )
    student = recipe.student_config
    scratch = stage(
        "student_scratch", recipe.student, plan.student(), plan.labelled, student, HardLabels()
    )
    distilled = stage(
        "student_distilled",
        recipe.student,
        plan.student(),
        splits.train,
        student,
        plan.distillation,
        teacher=teacher.graph,
        labels=plan.known,
    )
    return teacher, scratch, distilled
