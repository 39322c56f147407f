"""``python -m bench SUBJECT``: run one subject's measurements."""

from __future__ import annotations

import os

# As in the command line of kdq_ref: threads are ours, not the BLAS library's.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from pathlib import Path

import click

_OUT = click.option(
    "--out", type=click.Path(path_type=Path), help="Append JSON lines to this file."
)


@click.group()
def main() -> None:
    """Measurements; see bench/README.md for the protocol."""


@main.command()
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
@_OUT
def train(threads: int, as_json: bool, out: Path | None) -> None:
    """Time a training step beside PyTorch eager."""
    from bench import train as subject

    try:
        import torch  # noqa: F401
    except ImportError:
        raise click.ClickException("torch is not installed: pip install '.[bench]'") from None
    subject.main(threads, out, as_json)


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
    from bench import distill_settings as subject

    subject.main(data, labels, seeds, epochs, out)


if __name__ == "__main__":
    main()
