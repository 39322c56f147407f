"""``kdq compare``: does distillation pay, over several seeds?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kdq_ref.cli import options, output
from kdq_ref.pipeline import Job, compare
from kdq_ref.pipeline.stages import TITLES


class SeedList(click.ParamType):
    """``5`` means the seeds 0 to 4; ``0,3,7`` means these; ``3,`` means 3 alone."""

    name = "count|list"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the seeds, all different."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = [int(part) for part in str(value).removesuffix(",").split(",")]
        except ValueError:
            self.fail(f"{value!r} is neither a number of seeds nor a list like 0,1,2", param, ctx)
        seeds = tuple(numbers) if "," in str(value) else tuple(range(numbers[0]))
        if not seeds or min(seeds) < 0 or len(set(seeds)) != len(seeds):
            self.fail(f"{value!r}: seeds are different numbers from 0 on", param, ctx)
        return seeds


@click.command("compare", short_help="Distilled against trained from scratch, over several seeds.")
@options.data_option("digits")
@click.option(
    "--seeds",
    type=SeedList(),
    default="5",
    show_default=True,
    help="How many seeds (from 0), or which: 0,1,2.",
)
@options.labels_option
@options.teacher_option
@options.student_option
@options.epochs_option
@options.distillation_options
@options.threads_option
@options.out_option
@options.resume_option
@options.json_option
@options.quiet_option
def command(
    seeds: tuple[int, ...],
    out: Path | None,
    resume: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Train teacher, student from scratch and distilled student once per seed, the students with
    the same budget; report every test accuracy, the means, and who won.

    \b
    Examples:
      kdq compare                             five seeds on the digits
      kdq compare --labels 100 --seeds 3      few labels, the rest unlabelled
      kdq compare --data fashion-mnist --seeds 0,1,2
    """
    job = Job(**settings)
    labels = f"labels{job.labels}" if job.labels else None
    directory = out or options.run_directory("compare", job.data, labels)
    report = compare(job, seeds, directory, resume=resume, reporter=output.progress(quiet))
    if as_json:
        output.print_json(report)
    else:
        show(report)


def show(report: dict[str, Any]) -> None:
    """Print a row per seed, mean, standard deviation, and the winner."""
    rows = [_row(f"seed {row['seed']}", row) for row in report["seeds"]]
    rows.append(_row("mean", report["mean"]))
    spread = [f"{report['std'][name] * 100:.2f} points" for name in TITLES]
    rows.append(["standard deviation", *spread, ""])
    labels = "all labels" if report["labels"] is None else f"{report['labels']} labels"
    output.print_table(
        ("", "teacher", "from scratch", "distilled", "difference"),
        rows,
        f"{report['dataset']}, {labels}: test accuracy at equal budget",
    )
    output.print_line(verdict(report))


def verdict(report: dict[str, Any]) -> str:
    """Who won, in one sentence."""
    wins, seeds = report["wins"], len(report["seeds"])
    if report["winner"] == "tie":
        return f"Nobody won: the means are equal ({seeds} seeds)."
    margin = abs(report["mean"]["student_distilled"] - report["mean"]["student_scratch"])
    names = {"distilled": "Distillation", "scratch": "Training from scratch"}
    return (
        f"{names[report['winner']]} won by {margin * 100:.2f} points on average, "
        f"in {wins[report['winner']]} of {seeds} seeds."
    )


def _row(name: str, row: dict[str, Any]) -> list[str]:
    difference = row["student_distilled"] - row["student_scratch"]
    accuracies = [output.percent(row[column]) for column in TITLES]
    return [name, *accuracies, output.points(difference)]
