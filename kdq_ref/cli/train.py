"""``kdq train``: one network, on labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from kdq_ref.cli import options, output, training
from kdq_ref.pipeline import Job
from kdq_ref.pipeline.job import prepare
from kdq_ref.train import HardLabels


@click.command("train", short_help="Train a network of the zoo on labels.")
@options.data_option("digits")
@click.option(
    "--net",
    type=options.NETWORK,
    metavar="NET",
    help=f"{options.NETWORKS}  [default: the teacher of the dataset's recipe]",
)
@options.seed_option
@options.labels_option
@options.epochs_option
@training.config_options
@click.option("--label-smoothing", type=click.FloatRange(0, 1), default=0.0, show_default=True)
@options.threads_option
@options.out_option
@options.resume_option
@options.json_option
@options.quiet_option
def command(
    data: str,
    net: str | None,
    seed: int,
    labels: int | None,
    epochs: int | None,
    label_smoothing: float,
    threads: int,
    out: Path | None,
    resume: bool,
    as_json: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Train a network on labels. Settings that are not given are the recipe's, as in kdq run.

    The directory gets model.safetensors (the last epoch's weights), best.safetensors (the best
    epoch's on the validation set), last.safetensors (checkpoint) and history.jsonl. Ctrl-C stops
    after the batch under way; --resume continues to the same bits.

    \b
    Examples:
      kdq train --out runs/teacher
      kdq train --data fashion-mnist --net mlp --optimizer adam --lr 0.001 --epochs 5
      kdq train --net digits-student --schedule step --every 20 --gamma 0.1
    """
    job = Job(data=data, seed=seed, labels=labels, epochs=epochs, threads=threads)
    prepared = prepare(job)
    recipe = prepared.recipe
    if net == recipe.student:
        graph, base = prepared.student(), recipe.student_config
    else:
        if net is not None:
            prepared = prepare(replace(job, teacher=net))
        graph, base = prepared.teacher(), recipe.teacher_config
    name = net or recipe.teacher
    kept = f"labels{labels}" if labels else None
    report = training.train(
        name,
        prepared,
        graph,
        name,
        prepared.labelled,
        training.with_choices(base, choices),
        HardLabels(label_smoothing),
        directory=out or options.run_directory(data, kept, name, f"seed{seed}"),
        resume=resume,
        reporter=output.progress(quiet),
    )
    if as_json:
        output.print_json(report)
    else:
        training.show(report)
