"""``kdq verify``: is a kernel in a shared library right, and if not, what is wrong with it?"""

from __future__ import annotations

import glob
import shlex
from pathlib import Path

import click

from kdq_ref.cli import options, output
from kdq_ref.files import write_atomically
from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel import ABIS, LIMIT, SECONDS, Verdict, asset, verify_library
from kdq_ref.verify.kernel.reproducer import MADE_BY, reproducer

WRONG = 1


@click.command("verify", short_help="Say whether your kernel is right, and what is wrong with it.")
@click.option("--lib", type=options.FILE, metavar="FILE", help="Your shared library.")
@click.option("--symbol", metavar="NAME", help="The function in it.")
@click.option("--abi", type=click.Choice(list(ABIS)), help="How it is called; see --print-header.")
@click.option(
    "--rule",
    type=click.Choice(list(RULES)),
    help="The rounding rule it should follow; by default single_rounding.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    metavar="S",
    default=SECONDS,
    show_default=True,
    help="How long to look for faults. The boundary grid is always completed, and what is found "
    "is always explained.",
)
@click.option(
    "--seed",
    type=options.SEED,
    metavar="N",
    default=0,
    show_default=True,
    help="Decides the calls.",
)
@click.option(
    "--limit",
    type=click.FloatRange(min=0.01),
    metavar="S",
    default=LIMIT,
    show_default=True,
    help="A call that takes longer hangs.",
)
@click.option(
    "--reproducer",
    "reproducer_file",
    type=options.FILE,
    metavar="FILE.c",
    help="Write the smallest failing case as one C file; FILE-2.c, ... for further findings.",
)
@click.option("--print-header", is_flag=True, help="Print the C header of all abis, and stop.")
@click.option("--print-example", is_flag=True, help="Print a right kernel in C, and stop.")
@options.json_option
def command(
    lib: Path | None,
    symbol: str | None,
    abi: str | None,
    rule: str | None,
    seconds: float,
    seed: int,
    limit: float,
    reproducer_file: Path | None,
    print_header: bool,
    print_example: bool,
    as_json: bool,
) -> None:
    """Verify a kernel of yours: every bit, every bound of its arrays, every thread.

    It is called in child processes, on arrays between guarded pages: over a grid of boundary cases,
    on accumulators that lie on ties, then as hypothesis likes. Exit status 0: right; 1: wrong, and
    the verdict says what.

    \b
    Examples:
      kdq verify --print-header > kdq_kernel_abi.h
      kdq verify --print-example > example.c
      cc -O2 -shared -fPIC -o example.so example.c
      kdq verify --lib ./example.so --symbol example_gemm --abi gemm_s8s8s8 --rule double_rounding
    """
    for asked, name in ((print_header, "kdq_kernel_abi.h"), (print_example, "example.c")):
        if asked:
            click.echo(asset(name), nl=False)
            return
    if lib is None or symbol is None or abi is None:
        raise click.UsageError("--lib, --symbol and --abi are needed.")
    if reproducer_file is not None and reproducer_file.suffix != ".c":  # not the library itself
        raise click.UsageError(
            f"--reproducer writes a C file: give a name in .c, not {reproducer_file}."
        )
    if reproducer_file is not None:
        _check_place(reproducer_file)
    verdict = verify_library(
        lib, symbol, abi=abi, rule=rule, seconds=seconds, seed=seed, limit=limit
    )
    written = _write(verdict, reproducer_file, lib, symbol, limit) if reproducer_file else []
    if as_json:
        named = {"lib": str(lib), "symbol": symbol}
        output.print_json({**named, **verdict.report(), "reproducers": [str(p) for p in written]})
    else:
        for line in verdict.lines():
            output.print_line(line)
        for path in written:
            compile_it = shlex.join(["cc", "-o", "reproduce", str(path), "-ldl", "-lpthread"])
            output.print_line(f"reproducer: {path} ({compile_it})")
    if not verdict.passed:
        raise click.exceptions.Exit(WRONG)


def _check_place(first: Path) -> None:
    """A reproducer goes to an existing folder, and replaces nothing but a reproducer.

    Raises
    ------
    click.UsageError
    """
    if not first.absolute().parent.is_dir():
        raise click.UsageError(f"--reproducer: there is no folder {first.parent}.")
    for path in (first, *first.absolute().parent.glob(f"{glob.escape(first.stem)}-*.c")):
        if path.exists() and not path.read_bytes().startswith(MADE_BY.encode()):
            raise click.UsageError(f"--reproducer: {path} was not made by kdq verify; it stays.")


def _write(verdict: Verdict, first: Path, lib: Path, symbol: str, limit: float) -> list[Path]:
    """Write a reproducer for every finding; return their paths."""
    paths = []
    for number, finding in enumerate(verdict.findings, 1):
        path = first if number == 1 else first.with_stem(f"{first.stem}-{number}")
        source = reproducer(finding, lib.absolute(), symbol, limit)
        write_atomically(path, source.encode())
        paths.append(path)
    return paths
