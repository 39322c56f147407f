"""``kdq distill``: a student, on what a teacher says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kdq_ref.cli import options, output, training
from kdq_ref.data import Dataset
from kdq_ref.distill import (
    SoftLabels,
    generate_soft_labels,
    load_soft_labels,
    save_soft_labels,
)
from kdq_ref.nn import Graph
from kdq_ref.pipeline import Job
from kdq_ref.pipeline.job import prepare
from kdq_ref.train import load_float_model


@click.command("distill", short_help="Train a student on what a teacher says.")
@click.option("--teacher", type=options.FILE, metavar="FILE", help="Float model of the teacher.")
@click.option(
    "--soft-labels",
    type=options.FILE,
    metavar="FILE",
    help="Learn from the teacher's logits for the plain images, kept in this file: read if it "
    "exists (then no teacher is needed), else written.",
)
@options.data_option("digits")
@options.student_option
@options.distillation_options
@options.seed_option
@options.labels_option
@options.epochs_option
@training.config_options
@options.threads_option
@options.out_option
@options.resume_option
@options.json_option
@options.quiet_option
def command(
    teacher: Path | None,
    soft_labels: Path | None,
    data: str,
    student: str | None,
    method: str | None,
    temperature: float | None,
    lam: float | None,
    seed: int,
    labels: int | None,
    epochs: int | None,
    threads: int,
    out: Path | None,
    resume: bool,
    as_json: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Train a student on a teacher's answers and, weighted by 1 - LAMBDA, on the labels.

    A teacher given alone sees the same augmented images as the student. Files and settings are
    those of kdq train; the student's recipe is that of kdq run.

    \b
    Examples:
      kdq distill --teacher runs/teacher/model.safetensors
      kdq distill --teacher T.safetensors --method logit_matching --lam 1 --labels 100
      kdq distill --teacher T.safetensors --soft-labels T.logits    first time: writes
      kdq distill --soft-labels T.logits                            later: reads
    """
    job = Job(
        data=data,
        seed=seed,
        labels=labels,
        student=student,
        epochs=epochs,
        method=method,
        temperature=temperature,
        lam=lam,
        threads=threads,
    )
    prepared = prepare(job)
    dataset, recipe = prepared.splits.train, prepared.recipe
    graph = prepared.student()
    told = _teacher(teacher, soft_labels, dataset, threads)
    kept = f"labels{labels}" if labels else None
    report = training.train(
        f"{recipe.student} (distilled)",
        prepared,
        graph,
        recipe.student,
        dataset,
        training.with_choices(recipe.student_config, choices),
        prepared.distillation,
        directory=out or options.run_directory(data, kept, "distilled", f"seed{seed}"),
        resume=resume,
        reporter=output.progress(quiet),
        teacher=told,
        labels=prepared.known,
    )
    if as_json:
        output.print_json(report)
    else:
        training.show(report)


def _teacher(
    model: Path | None, soft_labels: Path | None, dataset: Dataset, threads: int
) -> Graph | SoftLabels:
    """Return the teacher's network, or what it says: as the file has it, or asked for now."""
    network = None if model is None else load_float_model(model)[0]
    if soft_labels is not None and soft_labels.exists():
        return load_soft_labels(soft_labels, dataset, network)
    if network is None:
        raise click.UsageError("who teaches? Give --teacher FILE, or --soft-labels of an old run")
    if soft_labels is None:
        return network
    labels = generate_soft_labels(network, dataset, threads=threads)
    save_soft_labels(soft_labels, labels)
    return labels
