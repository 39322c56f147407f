"""``python -m bench SUBJECT``: run one subject's measurements."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_OUT = click.option(
    "--out", type=click.Path(path_type=Path), help="Append JSON lines to this file."
)

_SUBJECTS = {
    "roofline": "This machine's own peaks, in registers.",
    "gemm": "int8 matrix products beside the peers.",
    "conv": "int8 convolutions beside the peers.",
    "network": "Whole int8 networks beside the peers.",
    "requant": "Requantization alone, every rule and instruction set.",
    "train": "A training step beside PyTorch eager.",
}
_WITH_PEERS = ("gemm", "conv", "network")


@click.group()
def main() -> None:
    """Measurements; see bench/README.md for the protocol."""


def _subject(name: str, text: str) -> click.Command:
    """The command that runs a subject, with the options that mean something to it."""
    options = [
        click.option("--threads", type=click.IntRange(1), default=1, show_default=True),
        click.option("--json", "as_json", is_flag=True, help="Print JSON lines."),
        _OUT,
        click.option("--plot", is_flag=True, help="Draw the figures (PNG beside the JSON lines)."),
        click.option("--quick", is_flag=True, help="Few cases, one short round."),
        click.option("--rounds", type=click.IntRange(1), default=7, show_default=True),
    ]
    if name in (*_WITH_PEERS, "requant"):
        options.append(click.option("--isa", help="Our kernels; by default the best."))
    if name in _WITH_PEERS:
        options += [
            click.option("--peers", help="Comma-separated; all of them by default, '' for none."),
            click.option("--groups", help="Comma-separated groups of cases; all by default."),
            click.option("--rule", default="single_rounding", help="Our rounding rule."),
        ]

    def run(**values: Any) -> None:
        _run(name, **values)

    command: Callable[..., None] = run
    for option in reversed(options):
        command = option(command)
    return click.command(name, help=text)(command)


def _run(
    subject: str, *, peers: str | None = None, groups: str | None = None, **values: Any
) -> None:
    if subject == "requant" and values["threads"] != 1:
        raise click.UsageError("--threads: requantization alone is timed on one thread")
    # Before NumPy is imported for the first time. In training, threads are ours, as in the command
    # line of kdq_ref; elsewhere they are those of the peer that NumPy is.
    blas_threads = values["threads"] if subject in _WITH_PEERS else 1
    os.environ["OPENBLAS_NUM_THREADS"] = str(blas_threads)
    from bench.report import Options, finish
    from bench.roofline import NoPeaks
    from kdq_ref.errors import KdqError

    if subject in _WITH_PEERS:
        from bench.cases import GROUPS
        from bench.peers import NAMES

        values["peers"] = _names("peers", peers, NAMES)
        values["groups"] = _names("groups", groups, GROUPS[subject])
    options = Options(**values)
    try:
        lines = importlib.import_module(f"bench.{subject}").lines(options)
        measured = finish(subject, lines, options)
    except (NoPeaks, KdqError) as fault:
        raise click.ClickException(str(fault)) from None
    except ImportError as fault:
        raise click.ClickException(f"{fault}: pip install '.[bench,plot]'") from None
    if any(line.get("exact_ours") is False for line in measured):
        raise click.ClickException("an output of ours differs from the specification")


def _names(option: str, text: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """Split a comma-separated list and check it; without one, all there are."""
    if text is None:
        return known
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if unknown := [name for name in names if name not in known]:
        raise click.UsageError(f"--{option}: unknown {unknown}; there are {', '.join(known)}")
    return names


for _name, _text in _SUBJECTS.items():
    main.add_command(_subject(_name, _text))


@main.command("distill-settings")
@click.option("--data", default="digits", show_default=True)
@click.option("--labels", type=int, help="Few-labels setting.")
@click.option("--seeds", type=int, default=5, show_default=True, help="How many, from 100 on.")
@click.option("--epochs", type=int, help="Instead of the recipe's.")
@_OUT
def distill_settings(
    data: str, labels: int | None, seeds: int, epochs: int | None, out: Path | None
) -> None:
    """Search temperature, lambda and method on the validation split."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from bench import distill_settings as subject

    subject.main(data, labels, seeds, epochs, out)


if __name__ == "__main__":
    main()
