"""What becomes of the measurements: JSON lines, tables, means, a file, a picture."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.timing import Protocol
from kdq_ref.pipeline.measure import cpu_name

Line = dict[str, Any]

BEST = "best-peer"
"""Name under which the fastest peer of each case is summed up."""

_PIPE_WIDTH = 200
_LOAD = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
"""Processes that wanted a processor before we began."""
_BUSY = 0.5


@dataclass(frozen=True)
class Options:
    """What the command line asked for.

    Attributes
    ----------
    threads : int
    peers : tuple of str
    isa : str or None
        Of our kernels; None picks the best.
    rule : str
        Our rounding rule.
    groups : tuple of str
        Of cases.
    quick : bool
        One case a group, one short round: does everything still run?
    rounds : int
    as_json : bool
    out : Path or None
        JSON lines are appended to it.
    plot : bool
    """

    threads: int = 1
    peers: tuple[str, ...] = ()
    isa: str | None = None
    rule: str = "single_rounding"
    groups: tuple[str, ...] = ()
    quick: bool = False
    rounds: int = 7
    as_json: bool = False
    out: Path | None = None
    plot: bool = False

    def protocol(self) -> Protocol:
        """How thoroughly to time."""
        settle = self.threads > 1
        if self.quick:
            return Protocol(rounds=1, min_seconds=0.001, settle=settle)
        return Protocol(rounds=self.rounds, settle=settle)


@cache
def machine() -> Line:
    """Fields of every line that say where it was measured."""
    return {"cpu": cpu_name(), "cpus": os.cpu_count(), "load_before": _LOAD}


def progress(text: str) -> None:
    """Say on standard error what is being done."""
    print(text, file=sys.stderr, flush=True)


def geomean(values: Iterable[float]) -> float:
    """Geometric mean of positive numbers."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def summary(lines: Sequence[Line]) -> Iterator[Line]:
    """Yield geometric means: of every peer in every group, then of every peer.

    A case that a peer could not run counts in neither. The pseudo-peer ``best-peer`` is, case by
    case, the fastest of them.
    """
    timed = [line for line in lines if line.get("ratio") is not None]
    peers = list(dict.fromkeys(line["peer"] for line in timed))
    others = [line for line in timed if line["group"] != "scaling"]  # there, the peer is us
    if len({line["peer"] for line in others}) > 1:
        fastest: dict[tuple[str, str], Line] = {}
        for line in others:
            key = line["group"], line["case"]
            if key not in fastest or line["peer_s"] < fastest[key]["peer_s"]:
                fastest[key] = line
        timed += [{**line, "peer": BEST} for line in fastest.values()]
        peers.append(BEST)
    groups = list(dict.fromkeys(line["group"] for line in timed))
    for group in [*groups, None]:
        for peer in peers:
            own = [x for x in timed if x["peer"] == peer and group in (None, x["group"])]
            if own:
                yield {
                    "subject": own[0]["subject"],
                    "peer": peer,
                    "group": group,
                    "threads": own[0]["threads"],
                    "cases": len(own),
                    "wrong_cases": sum(line.get("exact_peer") is False for line in own),
                    "geomean": geomean(line["ratio"] for line in own),
                    "geomean_median": geomean(line["ratio_median"] for line in own),
                    **machine(),
                }


def publish(lines: Iterable[Line], options: Options) -> list[Line]:
    """Write lines to standard output (with --json) and to the file, as they come.

    Returns
    -------
    list of dict
    """
    kept = []
    for line in lines:
        text = json.dumps(line)
        if options.as_json:
            print(text, flush=True)
        if options.out is not None:
            with open(options.out, "a", encoding="utf-8") as file:
                file.write(text + "\n")
        kept.append(line)
    return kept


def finish(subject: str, lines: Iterable[Line], options: Options) -> list[Line]:
    """Publish measurements and their summary; print tables and draw where asked to.

    Returns
    -------
    list of dict
        The measurements.
    """
    if _LOAD is not None and _LOAD > _BUSY:
        progress(f"the machine is busy (load {_LOAD:.1f}): these figures will not be good ones")
    measured = publish(lines, options)
    means = publish(summary(measured), options)
    if not options.as_json:
        print_cases(measured)
        print_means(means)
    if options.plot:
        from bench import plot  # matplotlib takes long to import

        default = Path(__file__).parent / "results" / f"{subject}.jsonl"
        target = (options.out or default).with_suffix(".png")
        plot.draw(measured, target)
        progress(f"wrote {target}")
    return measured


def print_cases(lines: Sequence[Line]) -> None:
    """Print a table for each group: our time, and the ratio of every peer."""
    cases = [line for line in lines if "group" in line]
    for group in dict.fromkeys(line["group"] for line in cases):
        own = [line for line in cases if line["group"] == group]
        peers = [peer for peer in dict.fromkeys(line["peer"] for line in own) if peer]
        per_element = "ns_per_element" in own[0]
        field, unit = ("ns_per_element", "ns/element") if per_element else ("gmacs", "GMAC/s")
        rows = []
        for case in dict.fromkeys(line["case"] for line in own):
            by_peer = {line["peer"]: line for line in own if line["case"] == case}
            first = next(iter(by_peer.values()))
            row = [case, _micros(first.get("ours_s")), _number(first.get(field), ".3g")]
            row += [_number(first.get("fraction_of_peak"), ".0%"), _yes(first.get("exact_ours"))]
            rows.append([*row, *(_ratio(by_peer.get(peer)) for peer in peers)])
        columns = ["case", "ours, µs", unit, "of peak", "exact", *peers]
        _table(columns, rows, f"{own[0]['subject']}: {group}")
    for note in dict.fromkeys(_notes(lines)):
        print(note)


def print_means(lines: Sequence[Line]) -> None:
    """Print the geometric means, groups down, peers across."""
    if not lines:
        return
    peers = list(dict.fromkeys(line["peer"] for line in lines))
    rows = []
    for group in dict.fromkeys(line["group"] for line in lines):
        found = {line["peer"]: line["geomean"] for line in lines if line["group"] == group}
        rows.append([group or "all", *(_number(found.get(peer), ".2f") for peer in peers)])
    title = "geometric mean of the ratio: peer's time divided by ours, above 1 is our win"
    _table(["group", *peers], rows, title)


def _notes(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        if "unavailable" in line:
            yield f"{line['peer'] or line['case']}: {line['unavailable']}"
        if "unsupported" in line:
            yield f"{line['peer']} cannot run {line['case']}: {line['unsupported']}"
    if any(line.get("mismatch_peer") for line in lines):
        yield "after a ratio: the fraction of the peer's outputs that differ from their definition"


def _ratio(line: Line | None) -> str:
    ratio = None if line is None else line.get("ratio")
    if line is None or ratio is None:
        return "-"
    wrong = line.get("mismatch_peer")
    return f"{ratio:.2f}" + (f" ({wrong:.2g})" if wrong else "")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _micros(seconds: float | None) -> str:
    return "-" if seconds is None else format(seconds * 1e6, ".4g")


def _yes(equal: bool | None) -> str:
    return "-" if equal is None else "yes" if equal else "NO"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str) -> None:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    width = _PIPE_WIDTH if piped else None
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)
