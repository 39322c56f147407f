"""Distilled against scratch over several seeds, at equal budget."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.pipeline.job import Job, prepare
from kdq_ref.pipeline.stages import TITLES, ReporterFactory, train_all


def compare(
    job: Job,
    seeds: Sequence[int],
    directory: str | os.PathLike[str],
    *,
    resume: bool = False,
    reporter: ReporterFactory | None = None,
) -> dict[str, Any]:
    """Train teacher and both students once per seed; report every test accuracy.

    Parameters
    ----------
    job : Job
        Its own seed is replaced.
    seeds : sequence of int
        At least one, all different.
    directory : path-like
        Gets a folder ``seed-N`` each.
    resume, reporter
        As in :func:`kdq_ref.pipeline.run`.

    Returns
    -------
    dict
        JSON-able: ``seeds`` (a row each), ``mean``, ``std`` (of the sample; 0 for one seed),
        ``wins`` per student, and ``winner``: the student with the higher mean, or ``"tie"``.
    """
    if not seeds or len(set(seeds)) != len(seeds):
        raise InvalidArgumentError(f"seeds must be different and at least one, got {list(seeds)}")
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        prepared = prepare(replace(job, seed=seed))
        place = Path(directory) / f"seed-{seed}"
        place.mkdir(parents=True, exist_ok=True)
        networks = train_all(prepared, place, resume=resume, reporter=reporter)
        accuracies = {n: t.test.accuracy for n, t in zip(TITLES, networks, strict=True)}
        rows.append({"seed": seed, **accuracies})
    scores = {name: np.array([row[name] for row in rows]) for name in TITLES}
    scratch, distilled = scores["student_scratch"], scores["student_distilled"]
    margin = float((distilled - scratch).mean())
    return {
        "dataset": prepared.splits.test.name,
        "labels": job.labels,
        "distillation": prepared.distillation.identity(),
        "seeds": rows,
        "mean": {name: float(values.mean()) for name, values in scores.items()},
        "std": {
            name: float(values.std(ddof=1)) if len(values) > 1 else 0.0
            for name, values in scores.items()
        },
        "wins": {
            "distilled": int((distilled > scratch).sum()),
            "scratch": int((scratch > distilled).sum()),
            "ties": int((scratch == distilled).sum()),
        },
        "margin": margin,
        "winner": "distilled" if margin > 0 else "scratch" if margin < 0 else "tie",
    }
