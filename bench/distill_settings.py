"""Which distillation settings? A search on the validation split; the test split is not looked at.

``python -m bench distill-settings --data digits`` trains one teacher per seed and a student per
setting and seed, all with the recipe's budget, and prints the mean validation accuracy of each
setting with its standard error. Seeds start at 100, so that none is a seed the README reports.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kdq_ref.errors import TrainingDivergedError
from kdq_ref.pipeline import Job
from kdq_ref.pipeline.job import Prepared, prepare
from kdq_ref.pipeline.measure import cpu_name
from kdq_ref.train import Distillation, HardLabels, evaluate, fit

TEMPERATURES = (1.0, 2.0, 4.0, 8.0)
LAMBDAS = (0.5, 0.9)


def settings() -> Iterator[Distillation | None]:
    """Every setting that is tried; None is the student from scratch."""
    yield None
    for temperature, lam in itertools.product(TEMPERATURES, LAMBDAS):
        yield Distillation("soft_target", temperature=temperature, lam=lam)
    for lam in LAMBDAS:
        yield Distillation("logit_matching", lam=lam)


def accuracies(prepared: Prepared) -> list[float]:
    """Validation accuracy of every setting for one seed; 0 where the training diverged."""
    splits, recipe = prepared.splits, prepared.recipe
    teacher = prepared.teacher()
    fit(teacher, prepared.labelled, None, recipe.teacher_config)

    def score(objective: Distillation | None) -> float:
        student = prepared.student()
        if objective is None:
            fit(student, prepared.labelled, None, recipe.student_config, objective=HardLabels())
        else:
            fit(
                student,
                splits.train,
                None,
                recipe.student_config,
                objective=objective,
                teacher=teacher,
                labels=prepared.known,
            )
        return evaluate(student, splits.validation).accuracy

    scores = []
    for objective in settings():
        try:
            scores.append(score(objective))
        except TrainingDivergedError:
            scores.append(0.0)
    return scores


def main(data: str, labels: int | None, seeds: int, epochs: int | None, out: Path | None) -> None:
    """Search temperature, lambda and method on the validation split."""
    job = Job(data=data, labels=labels, epochs=epochs)
    scores = np.array([accuracies(prepare(replace(job, seed=100 + s))) for s in range(seeds)])
    lines = []
    for objective, column in zip(settings(), scores.T, strict=True):
        error = column.std(ddof=1) / np.sqrt(seeds) if seeds > 1 else 0.0
        name = objective.identity() if objective else {"kind": "hard_labels"}
        line: dict[str, Any] = {
            "subject": "distill_settings",
            "data": data,
            "labels": labels,
            "seeds": seeds,
        }
        line |= {"setting": name, "validation": column.mean(), "standard_error": error}
        lines.append(json.dumps(line | {"cpu": cpu_name()}))
        print(f"{column.mean():.4f} ± {error:.4f}  {name}", flush=True)
    if out is not None:
        with open(out, "a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
