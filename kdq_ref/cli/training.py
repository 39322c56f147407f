"""What ``kdq train`` and ``kdq distill`` have in common: their options, the run, the report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from kdq_ref.cli import options, output
from kdq_ref.data import Dataset
from kdq_ref.nn import Graph
from kdq_ref.pipeline.job import Prepared
from kdq_ref.pipeline.network import train_network
from kdq_ref.pipeline.stages import ReporterFactory
from kdq_ref.train import (
    BEST,
    HISTORY,
    LAST,
    OPTIMIZERS,
    SCHEDULES,
    Objective,
    TrainConfig,
)

MODEL = "model.safetensors"

_OPTIMIZER_OPTIONS = ("momentum", "nesterov", "weight_decay")
_SCHEDULE_OPTIONS = ("warmup", "every", "gamma")

config_options = options.combine(
    click.option("--lr", type=click.FloatRange(min=0), help="Peak learning rate."),
    click.option("--optimizer", type=click.Choice(list(OPTIMIZERS))),
    click.option("--momentum", type=float, help="Of sgd."),
    click.option("--nesterov/--no-nesterov", default=None, help="Of sgd."),
    click.option("--weight-decay", type=float),
    click.option("--schedule", type=click.Choice(list(SCHEDULES))),
    click.option("--warmup", type=float, metavar="EPOCHS", help="Of cosine."),
    click.option("--every", type=float, metavar="EPOCHS", help="Of step."),
    click.option("--gamma", type=float, help="Of step."),
    click.option("--batch-size", type=options.POSITIVE, metavar="N"),
    click.option("--micro-batch", type=options.POSITIVE, metavar="N", help="Images at once."),
    click.option("--shift", type=click.IntRange(min=0), metavar="PIXELS", help="Augmentation."),
    click.option("--flip/--no-flip", default=None, help="Augmentation: mirror half of the images."),
)
"""Options that replace one setting each of the recipe's `TrainConfig`."""


def with_choices(recipe: TrainConfig, choices: Mapping[str, Any]) -> TrainConfig:
    """Replace the settings that were given (are not None).

    The recipe's options of an optimizer or schedule go with it: choosing another one starts from
    that one's own defaults.

    Raises
    ------
    InvalidArgumentError, RangeError
    """
    given = {name: value for name, value in choices.items() if value is not None}
    for kind, names in (("optimizer", _OPTIMIZER_OPTIONS), ("schedule", _SCHEDULE_OPTIONS)):
        same = given.get(kind, getattr(recipe, kind)) == getattr(recipe, kind)
        inherited = dict(getattr(recipe, f"{kind}_options")) if same else {}
        chosen = {name: given.pop(name) for name in names if name in given}
        given[f"{kind}_options"] = {**inherited, **chosen}
    return replace(recipe, **given)


def train(
    title: str,
    prepared: Prepared,
    graph: Graph,
    name: str,
    dataset: Dataset,
    config: TrainConfig,
    objective: Objective,
    *,
    directory: Path,
    resume: bool,
    reporter: ReporterFactory | None,
    **distillation: Any,
) -> dict[str, Any]:
    """Train a network, measure it on the test set, save it; return the report.

    Parameters
    ----------
    title : str
        For the progress display.
    prepared : Prepared
        Where the data come from.
    graph : Graph
    name : str
        Of the network in the zoo.
    dataset : Dataset
        What it is trained on.
    config : TrainConfig
    objective : Objective
    directory : Path
        Gets the model beside what :func:`kdq_ref.train.fit` writes.
    resume, reporter
    **distillation
        ``teacher`` and ``labels`` of :func:`kdq_ref.train.fit`.

    Returns
    -------
    dict
        JSON-able.
    """
    start = time.perf_counter()
    network = train_network(
        prepared,
        name,
        graph,
        dataset,
        config,
        objective,
        directory=directory,
        file=directory / MODEL,
        resume=resume,
        reporter=reporter(title) if reporter else None,
        **distillation,
    )
    facts, last = network.report(), network.fitted.history[-1]
    return {
        "dataset": dataset.name,
        "seed": prepared.job.seed,
        "labels": prepared.job.labels,
        "net": facts.pop("name"),
        "objective": objective.identity(),
        **facts,
        "validation_accuracy": last.validation_accuracy,
        "validation_loss": last.validation_loss,
        "epochs": last.epoch,
        "best_epoch": network.fitted.best_epoch,
        "seconds": time.perf_counter() - start,
        "directory": str(directory),
        "files": {"model": MODEL, "best": BEST, "checkpoint": LAST, "history": HISTORY},
    }


def show(report: dict[str, Any]) -> None:
    """Print the result of one training run."""
    validation = report["validation_accuracy"]
    output.print_facts(
        {
            "network": report["net"],
            "dataset": f"{report['dataset']}, seed {report['seed']}",
            "test accuracy": output.percent(report["accuracy"]),
            "validation accuracy": "none" if validation is None else output.percent(validation),
            "epochs": f"{report['epochs']} (best on validation: {report['best_epoch']})",
            "parameters": output.count(report["params"]),
            "MACs per image": output.count(report["macs"]),
            "time": f"{report['seconds']:.1f} s",
            "model": str(Path(report["directory"], report["files"]["model"])),
        }
    )
