"""``kdq run``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kdq_ref.cli import options, output
from kdq_ref.cli.models import check_isa
from kdq_ref.errors import KdqError
from kdq_ref.pipeline import Job, run


@click.command("run", short_help="The whole job: teacher, student, distilled student, int8, proof.")
@options.data_option("digits")
@options.seed_option
@options.labels_option
@options.teacher_option
@options.student_option
@options.epochs_option
@options.distillation_options
@options.rule_option
@options.observer_option
@options.weights_option
@options.threads_option
@options.isa_option
@options.out_option
@options.resume_option
@options.json_option
@options.quiet_option
def command(out: Path | None, resume: bool, as_json: bool, quiet: bool, **settings: Any) -> None:
    """Train a teacher, a student from scratch and a distilled student; quantize the distilled one
    to int8; run it with integers only, by the NumPy specification and in C; compare every bit.

    All artefacts stay in the output directory, report.json among them. The exit code is 1 if any
    code of the test set differs.

    \b
    Examples:
      kdq run
      kdq run --data fashion-mnist --seed 1
      kdq run --labels 100                    100 labels, the rest unlabelled
      kdq run --json --quiet > report.json
    """
    check_isa(settings["isa"])
    job = Job(**settings)
    labels = f"labels{job.labels}" if job.labels else None
    directory = out or options.run_directory(job.data, labels, f"seed{job.seed}")
    report = run(job, directory, resume=resume, reporter=output.progress(quiet))
    if as_json:
        output.print_json(report)
    else:
        show(report)
    require_agreement(report["int8"])


def require_agreement(int8: dict[str, Any]) -> None:
    """Raise KdqError unless every computation of the integer network gave the same codes."""
    for key, name in (
        ("bit_exact_spec_vs_c", "the C kernels differ"),
        ("bit_exact_fakequant", "the fake-quantized network differs"),
    ):
        # None: there is nothing to compare, because the C core was not built.
        if int8.get(key) is False:
            raise KdqError(f"{name} from the NumPy specification; please report this")


def show(report: dict[str, Any]) -> None:
    """Print the report as a table and a few lines."""
    int8 = report["int8"]
    by_spec = int8 | {
        "accuracy": int8["accuracy_spec"],
        "us_per_image": int8["us_per_image_spec"],
    }
    columns = ("network", "accuracy", "parameters", "bytes", "MACs", "µs per image")
    rows = [
        _row("teacher", report["teacher"]),
        _row("student from scratch, same budget", report["student_scratch"]),
        _row("distilled student", report["student_distilled"]),
        _row("int8 by NumPy spec", by_spec),
    ]
    if int8["backend"] == "c":
        rows.append(_row(f"int8 by C ({int8['isa']})", int8))
    labels = "all labels" if report["labels"] is None else f"{report['labels']} labels"
    title = (
        f"{report['dataset']}, seed {report['seed']}, {labels}, "
        f"{report['test_images']:,} test images"
    )
    output.print_table(columns, rows, title)
    output.print_facts(_remarks(report))


def _row(name: str, facts: dict[str, Any]) -> list[str]:
    counts = [output.count(facts[key]) for key in ("params", "bytes", "macs")]
    return [name, output.percent(facts["accuracy"]), *counts, output.micros(facts["us_per_image"])]


def _remarks(report: dict[str, Any]) -> dict[str, str]:
    int8 = report["int8"]
    loss = int8["accuracy"] - report["student_distilled"]["accuracy"]
    folded = report["float"]["us_per_image"]
    gain = report["student_distilled"]["accuracy"] - report["student_scratch"]["accuracy"]
    engine = f"engine: {int8['arena_bytes']:,} bytes"
    peak = report["peak_memory_bytes"]
    return {
        "int8 against distilled": output.points(loss),
        "distilled against scratch": output.points(gain),
        "C = NumPy spec, bit for bit": output.agreement(int8["bit_exact_spec_vs_c"]),
        "fake-quantized = NumPy spec": output.agreement(int8["bit_exact_fakequant"]),
        "folded distilled student": f"{output.micros(folded)} µs per image",
        "memory": engine if peak is None else f"{peak / 2**20:.0f} MiB at most; {engine}",
        "time": f"{report['seconds']:.1f} s in all; µs: one thread, batches of up to 256",
        "files": f"in {report['directory']}: {', '.join(report['files'].values())}",
    }
