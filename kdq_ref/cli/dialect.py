"""``kdq dialect``: what runtimes compute, and whether they do."""

from __future__ import annotations

import dataclasses
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from kdq_ref.cli import options, output
from kdq_ref.errors import FileFormatError, UnsupportedError
from kdq_ref.files import kind_of
from kdq_ref.infer import load_model, model_file
from kdq_ref.verify import check, dialects, identify, oracles
from kdq_ref.verify.dialect import Dialect
from kdq_ref.verify.network import OPERATORS
from kdq_ref.verify.samples import OPERATORS as SAMPLED
from kdq_ref.verify.vector_file import load_vectors


class Names(click.ParamType):
    """Comma-separated names out of some."""

    name = "a,b"

    def __init__(self, known: tuple[str, ...]) -> None:
        self._known = known

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names, each once."""
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(part for part in str(value).split(",") if part))
        unknown = [name for name in names if name not in self._known]
        if unknown or not names:
            self.fail(f"{value!r}: choose of {', '.join(self._known)}", param, ctx)
        return names


@click.group(
    "dialect", short_help="What runtimes compute, to the last bit: list, show, check, identify."
)
def command() -> None:
    """A dialect says, operator by operator, what a runtime computes: which rule, how its
    multiplier is formed, where the zero point enters. The runtime itself is the judge.

    \b
    Examples:
      kdq dialect list
      kdq dialect show onnxruntime-avx2-default
      kdq dialect check --runtime onnxruntime --ops dense,conv2d
    """


@command.command("list")
@options.json_option
def list_dialects(as_json: bool) -> None:
    """Every dialect, the runtime whose bits it claims, and whether that is installed here."""
    known = [dialects.get_dialect(name) for name in dialects.NAMES]
    rows: list[dict[str, Any]] = [
        {
            "name": dialect.name,
            "runtime": dialect.runtime,
            "version": _version(dialect),
            "storage": dialect.storage,
            "operators": list(dialect.operators),
            "summary": dialect.summary,
        }
        for dialect in known
    ]
    if as_json:
        output.print_json({"dialects": rows})
        return
    output.print_table(
        ("dialect", "runtime", "installed", "codes", "operators"),
        [
            [
                row["name"],
                row["runtime"] or "a text",
                row["version"] or ("no" if row["runtime"] else ""),
                row["storage"],
                str(len(row["operators"])),
            ]
            for row in rows
        ],
    )
    output.print_facts({str(row["name"]): str(row["summary"]) for row in rows})


@command.command("show")
@click.argument("name", type=click.Choice(dialects.NAMES), metavar="NAME")
@options.json_option
def show_dialect(name: str, as_json: bool) -> None:
    """What dialect NAME computes, operator by operator, and where that is written."""
    dialect = dialects.get_dialect(name)
    notes = {
        operator: dialect.notes.get(operator, "not described")
        if operator in dialect.operators
        else f"not reproduced: {dialect.notes.get(operator, 'the runtime has no such operator')}"
        for operator in OPERATORS
    }
    if as_json:
        report = dataclasses.asdict(dialect) | {"operators": list(dialect.operators)}
        output.print_json(report | {"notes": notes})
        return
    output.print_facts(
        {
            "dialect": dialect.name,
            "summary": dialect.summary,
            "runtime": dialect.runtime or "none: it is a text",
            "installed": _version(dialect) or "no",
            "codes": dialect.storage,
        }
    )
    output.print_line("")
    output.print_facts(notes)


@command.command("check")
@click.option(
    "--runtime",
    "names",
    type=Names(tuple(dict.fromkeys((*dialects.NAMES, *oracles.NAMES)))),
    help="Dialects or runtimes, comma-separated.  [default: all]",
)
@click.option(
    "--ops",
    "operators",
    type=Names(SAMPLED),
    default=",".join(SAMPLED),
    help="Operators, comma-separated.  [default: all]",
)
@click.option(
    "--samples",
    type=options.POSITIVE,
    default=100_000,
    show_default=True,
    help="How many outputs to compare for each operator and dialect, at least.",
)
@click.option(
    "--seed",
    type=options.SEED,
    default=0,
    show_default=True,
    help="Decides every sample.",
)
@options.json_option
@options.quiet_option
@click.pass_context
def check_dialects(
    ctx: click.Context,
    names: tuple[str, ...] | None,
    operators: tuple[str, ...],
    samples: int,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare dialects with the runtimes they describe, bit for bit: on random samples, ties,
    extremes, tiny and huge multipliers. Exit code 1 if any output differs.

    \b
    Examples:
      kdq dialect check
      kdq dialect check --runtime onnxruntime-avx2-default --ops dense --samples 10000000
    """
    chosen = [dialects.get_dialect(name) for name in dialects.NAMES]
    if names:
        chosen = [one for one in chosen if one.name in names or one.runtime in names]
    rows: list[check.Row] = []
    versions: dict[str, str | None] = {}
    with _progress(quiet) as bar:
        for dialect in chosen:
            if not dialect.runtime:
                continue
            oracle = oracles.get_oracle(dialect.runtime)
            versions[dialect.runtime] = oracle.version()
            task = bar.add_task(dialect.name, total=samples)
            report = partial(_advance, bar, task, dialect.name)
            rows += check.check(
                dialect, oracle, operators, outputs=samples, seed=seed, progress=report
            )
            bar.remove_task(task)
    if not rows:
        raise UnsupportedError("none of these dialects has a runtime to be compared with")
    differs = sum(not row.holds for row in rows)
    if as_json:
        facts = [dataclasses.asdict(row) | {"holds": row.holds} for row in rows]
        output.print_json({"seed": seed, "versions": versions, "rows": facts, "differing": differs})
    else:
        _show_rows(rows, versions)
    ctx.exit(1 if differs else 0)


@command.command("identify")
@click.argument("file", type=options.FILE)
@options.json_option
@click.pass_context
def identify_dialect(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Name the dialects that compute the outputs in FILE: a network, inputs and outputs, as
    kdq_ref.verify.vector_file writes them; or an integer model, which is run on 256 inputs. Exit
    code 1 if there is none.

    \b
    Examples:
      kdq dialect identify vectors.safetensors
      kdq dialect identify runs/digits-seed0/student_int8.safetensors
    """
    of_model = kind_of(file, error=FileFormatError) == model_file.KIND
    vectors = identify.vectors_of(load_model(file)) if of_model else load_vectors(file)
    found = identify.identify(vectors)
    equal = [one.dialect for one in found if one.equal]
    if as_json:
        candidates = [dataclasses.asdict(one) | {"equal": one.equal} for one in found]
        output.print_json({"equal": equal, "candidates": candidates})
    else:
        output.print_table(
            ("dialect", "outputs", "mismatches", "largest", "note"),
            [
                [
                    one.dialect,
                    output.count(one.outputs),
                    output.count(one.mismatches),
                    f"{one.largest:.6g}",
                    one.note,
                ]
                for one in found
            ],
        )
        output.print_line(f"equal to {', '.join(equal)}" if equal else "equal to no dialect")
    ctx.exit(0 if equal else 1)


def _advance(bar: Progress, task: TaskID, name: str, operator: str, done: int, wanted: int) -> None:
    bar.update(task, description=f"{name}: {operator}", completed=min(done, wanted))


def _show_rows(rows: list[check.Row], versions: dict[str, str | None]) -> None:
    output.print_table(
        ("dialect", "operator", "outputs", "networks", "refused", "mismatches", "largest", "note"),
        [
            [
                row.dialect,
                row.operator,
                output.count(row.outputs),
                output.count(row.networks),
                output.count(row.refused),
                output.count(row.mismatches),
                f"{row.largest:.6g}",
                row.note,
            ]
            for row in rows
        ],
    )
    output.print_facts({name: version or "not installed" for name, version in versions.items()})
    differing, total = sum(not row.holds for row in rows), sum(row.outputs for row in rows)
    silent = sum(row.outputs == 0 for row in rows)
    verdict = f"{output.count(total)} outputs compared; {differing} of {len(rows)} rows differ"
    output.print_line(f"{verdict}, {silent} compared nothing" if silent else verdict)


def _version(dialect: Dialect) -> str | None:
    return oracles.get_oracle(dialect.runtime).version() if dialect.runtime else None


def _progress(quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        console=Console(file=sys.stderr),
        disable=quiet or not sys.stderr.isatty(),
        transient=True,
    )
