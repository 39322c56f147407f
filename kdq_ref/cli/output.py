"""How results reach standard output: one JSON object, or a table and a few lines."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from kdq_ref.cli.text import printable
from kdq_ref.pipeline.stages import ReporterFactory
from kdq_ref.train import reporter_for

_PIPE_WIDTH = 160


class _Output(Console):
    """A console that leaves broken pipes to the application."""

    def on_broken_pipe(self) -> None:
        raise


def print_json(report: dict[str, Any]) -> None:
    """Print one JSON object, in ASCII; what is not finite is null."""
    print(json.dumps(_finite(report), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_table(columns: Iterable[str], rows: Iterable[Iterable[str]], title: str = "") -> None:
    """Print rows of text; all columns but the first are aligned to the right.

    Names from files are shown as they are, never as markup or control sequences.
    """
    table = Table(title=printable(title) or None, title_justify="left", box=box.SIMPLE_HEAD)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(printable(cell) for cell in row))
    # Without a terminal nothing says how wide the paper is: rather too wide than folded.
    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    console = _Output(
        file=sys.stdout,
        width=_PIPE_WIDTH if piped else None,
        markup=False,
        emoji=False,
        highlight=False,
    )
    console.print(table)


def print_facts(facts: Mapping[str, str]) -> None:
    """Print one line per fact, the values below each other."""
    width = max(map(len, facts), default=0) + 2
    for name, value in facts.items():
        print_line(f"{name + ':':<{width}} {value}")


def print_line(text: str) -> None:
    """Print one line of text, whatever it quotes."""
    # Not click.echo, which takes an ASCII terminal for a UTF-8 one.
    print(printable(text))


def progress(quiet: bool) -> ReporterFactory | None:
    """Return what makes the progress display of a stage; it writes to standard error."""
    return None if quiet else reporter_for


def percent(fraction: float) -> str:
    """``0.9712`` as ``"97.12 %"``."""
    return f"{fraction:.2%}".replace("%", " %")


def count(number: int) -> str:
    """``12345`` as ``"12,345"``."""
    return f"{number:,}"


def micros(time: float) -> str:
    """Microseconds, to three digits or whole."""
    return f"{time:,.0f}" if time >= 100 else f"{time:.3g}"


def points(difference: float) -> str:
    """A difference of accuracies in points: ``-0.0028`` as ``"-0.28 points"``."""
    return f"{difference * 100:+.2f} points"


def agreement(equal: bool | None) -> str:
    """``"yes"``, ``"NO"`` (which should be seen), or why nothing was compared (None)."""
    if equal is None:
        return "not compared, this installation has no C core"
    return "yes" if equal else "NO"
