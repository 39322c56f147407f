"""Options that several commands share, each defined once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from kdq_ref import data, zoo
from kdq_ref.pipeline import Job
from kdq_ref.quant.observers import OBSERVERS
from kdq_ref.quant.schemes import GRANULARITIES
from kdq_ref.rounding import RULES
from kdq_ref.train import METHODS

F = TypeVar("F", bound=Callable[..., Any])

POSITIVE = click.IntRange(min=1)
SEED = click.IntRange(min=0)
FILE = click.Path(path_type=Path, dir_okay=False)
DIRECTORY = click.Path(path_type=Path, file_okay=False)


class DataSource(click.ParamType):
    """A dataset by name, or a directory of idx files; which it is, loading it will tell."""

    name = "name|directory"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Offer the names, then directories."""
        names = [CompletionItem(name) for name in data.NAMES if name.startswith(incomplete)]
        return [*names, CompletionItem(incomplete, type="dir")]


def combine(*decorators: Callable[[Any], Any]) -> Callable[[F], F]:
    """One decorator that applies several, so that help lists their options in this order."""

    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of a table."
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
seed_option = click.option(
    "--seed",
    type=SEED,
    metavar="N",
    default=0,
    show_default=True,
    help="Decides every random draw: weights, order, augmentation, dropout, kept labels.",
)
threads_option = click.option(
    "--threads",
    type=POSITIVE,
    metavar="N",
    default=Job.threads,
    show_default=True,
    help="Threads to work with; no bit of any result depends on it.",
)
labels_option = click.option(
    "--labels",
    type=POSITIVE,
    metavar="N",
    help="Only N training images keep their label; the others are used without.  [default: all]",
)
resume_option = click.option(
    "--resume", is_flag=True, help="Go on where an interrupted run with the same options stopped."
)
out_option = click.option(
    "--out", type=DIRECTORY, metavar="DIR", help="Where the files go.  [default: under runs/]"
)
epochs_option = click.option(
    "--epochs", type=POSITIVE, metavar="N", help="[default: the dataset's recipe]"
)
isa_option = click.option(
    "--isa",
    metavar="NAME",
    help="Instruction set of the C kernels.  [default: $KDQ_ISA, else the best there is]",
)
rule_option = click.option(
    "--rule",
    type=click.Choice(list(RULES)),
    default=Job.rule,
    show_default=True,
    help="How accumulators are rounded.",
)
observer_option = click.option(
    "--observer",
    type=click.Choice(list(OBSERVERS)),
    default=Job.observer,
    show_default=True,
    help="What the ranges of activations are taken from.",
)
weights_option = click.option(
    "--weights",
    type=click.Choice(GRANULARITIES),
    default=Job.weights,
    show_default=True,
    help="Scales of the weights.",
)
NETWORK = click.Choice(zoo.NAMES)
NETWORKS = f"One of {', '.join(zoo.NAMES)}."
_networks = f"{NETWORKS}  [default: the dataset's recipe]"
teacher_option = click.option("--teacher", type=NETWORK, metavar="NET", help=_networks)
student_option = click.option("--student", type=NETWORK, metavar="NET", help=_networks)
distillation_options = combine(
    click.option(
        "--method", type=click.Choice(list(METHODS)), help="[default: the dataset's recipe]"
    ),
    click.option(
        "--temperature", type=float, metavar="T", help="Of soft_target; other methods have none."
    ),
    click.option(
        "--lam",
        type=click.FloatRange(0, 1),
        metavar="LAMBDA",
        help="Weight of the teacher's side; the labels' side has 1 - LAMBDA.",
    ),
)


def data_option(default: str | None) -> Callable[[F], F]:
    """``--data``; without a default, the model's own dataset is meant."""
    fallback = default or "what the model was made for"
    return click.option(
        "--data",
        type=DataSource(),
        default=default,
        help=f"One of {', '.join(data.NAMES)}, or a directory of idx files.  [default: {fallback}]",
    )


def run_directory(*parts: str | None) -> Path:
    """Default of ``--out``: ``runs/`` and the parts that are there, joined by dashes.

    A part that is a path stands for its last component.
    """
    return Path("runs", "-".join(Path(part).resolve().name for part in parts if part))
