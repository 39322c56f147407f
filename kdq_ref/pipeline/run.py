"""One command's worth: teacher → student → int8 → integer-only inference, and the proof."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from kdq_ref import infer, quant
from kdq_ref.files import write_atomically
from kdq_ref.pipeline.job import Job, prepare
from kdq_ref.pipeline.measure import (
    float_report,
    integer_report,
    machine_report,
    peak_memory_bytes,
)
from kdq_ref.pipeline.network import Trained, quantize_network
from kdq_ref.pipeline.stages import ReporterFactory, train_all

INT8_FILE = "student_int8.safetensors"
SPEC_FILE = "quant_spec.json"
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
        Gets every artefact: float models, checkpoints, histories, the quantization
        spec, the integer model and ``report.json``. Created if missing.
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
    prepared = prepare(job)
    place = Path(directory)
    place.mkdir(parents=True, exist_ok=True)
    teacher, scratch, distilled = train_all(prepared, place, resume=resume, reporter=reporter)
    folded, spec, graph = quantize_network(
        distilled.graph,
        prepared.splits.train,
        {"zoo": distilled.name, "seed": job.seed},
        samples=prepared.recipe.calibration,
        observer=job.observer,
        weights=job.weights,
        rule=job.rule,
    )
    _write_json(place / SPEC_FILE, spec.to_dict())
    infer.save_model(place / INT8_FILE, graph)
    test = prepared.splits.test
    images = test.to_input(test.images)
    report = {
        "dataset": test.name,
        "seed": job.seed,
        "labels": job.labels,
        "test_images": len(test),
        "teacher": _measured(teacher, images),
        "student_scratch": _measured(scratch, images),
        "student_distilled": _measured(distilled, images),
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
            "quant_spec": SPEC_FILE,
            "int8": INT8_FILE,
            "report": REPORT_FILE,
        },
    }
    _write_json(place / REPORT_FILE, report)
    return report


def _measured(network: Trained, images: np.ndarray) -> dict[str, Any]:
    return network.report() | float_report(network.graph, images)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    write_atomically(path, (json.dumps(value, indent=2) + "\n").encode())
