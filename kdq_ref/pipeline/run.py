"""One command's worth: teacher → student → int8 → integer-only inference, and the proof."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from kdq_ref import infer, quant
from kdq_ref.distill import digest_of
from kdq_ref.files import write_atomically
from kdq_ref.pipeline.job import Job, Plan, plan
from kdq_ref.pipeline.measure import (
    float_report,
    integer_report,
    machine_report,
    peak_memory_bytes,
)
from kdq_ref.pipeline.stages import ReporterFactory, Trained, train_all

INT8_FILE = "student_int8.safetensors"
REPORT_FILE = "report.json"


def run(
    job: Job,
    directory: str | os.PathLike[str],
    *,
    resume: bool = False,
    reporter: ReporterFactory | None = None,
) -> dict[str, Any]:
    """Do the main job and report on it.

    Parameters
    ----------
    job : Job
    directory : path-like
        Gets every artefact: float models, checkpoints, histories, the integer model and
        ``report.json``. Created if missing.
    resume : bool
        Go on where an interrupted run of the same job stopped.
    reporter : callable, optional
        Makes the progress display of a stage from its title.

    Returns
    -------
    dict
        The report, JSON-able: what ``kdq run --json`` prints.

    Raises
    ------
    TrainingInterrupted
        After Ctrl-C; run it again with ``resume=True``.
    KdqError
    """
    start = time.perf_counter()
    prepared = plan(job)
    place = Path(directory)
    place.mkdir(parents=True, exist_ok=True)
    teacher, scratch, distilled = train_all(prepared, place, resume=resume, reporter=reporter)
    folded, spec, graph = _quantize(prepared, distilled)
    infer.save_model(place / INT8_FILE, graph)
    test = prepared.splits.test
    images = test.to_input(test.images)
    report = {
        "dataset": test.name,
        "seed": job.seed,
        "labels": job.labels,
        "test_images": len(test),
        "teacher": teacher.report(),
        "student_scratch": scratch.report(),
        "student_distilled": distilled.report(),
        "int8": integer_report(
            graph,
            quant.fake_quantize(folded, spec, graph.rule),
            images,
            test.labels,
            isa=job.isa,
            threads=job.threads,
        ),
        "float": float_report(folded, images),
        "distillation": prepared.distillation.identity(),
        "machine": machine_report(),
        "peak_memory_bytes": peak_memory_bytes(),
        "seconds": time.perf_counter() - start,
        "directory": str(place),
        "files": {
            "teacher": teacher.file.name,
            "student_scratch": scratch.file.name,
            "student_distilled": distilled.file.name,
            "int8": INT8_FILE,
            "report": REPORT_FILE,
        },
    }
    write_atomically(place / REPORT_FILE, (json.dumps(report, indent=2) + "\n").encode())
    return report


def _quantize(prepared: Plan, student: Trained) -> tuple[Any, quant.QuantSpec, infer.IntGraph]:
    """Fold, calibrate on training images, lower: the float network that remains, spec, integers."""
    job, dataset = prepared.job, prepared.splits.train
    folded = quant.fold_batch_norm(student.graph)
    spec = quant.calibrate(
        folded, prepared.calibration_images(), observer=job.observer, weights=job.weights
    )
    graph = quant.lower(
        folded,
        spec,
        job.rule,
        source_digest=digest_of(student.graph),
        metadata={
            "dataset": dataset.name,
            "classes": list(dataset.classes),
            "pixel_scale": dataset.pixel_scale,
            "zoo": student.name,
            "seed": job.seed,
            "observer": spec.observer,
            "weights": spec.granularity,
        },
    )
    return folded, spec, graph
