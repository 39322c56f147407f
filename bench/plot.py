"""A picture of the ratios case by case, or of the peaks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot


def draw(lines: Sequence[dict[str, Any]], target: Path) -> None:
    """Draw measurements.

    Ratios are a row per case and a mark per peer, on a logarithmic axis; marks of peers whose
    output was not what it should have been are hollow. Peaks, which have no peer, are bars.

    Parameters
    ----------
    lines : sequence of dict
        Measurements of one subject; those without figures are left out.
    target : Path
        The PNG to write.
    """
    figure = _peaks(lines) if lines[0]["subject"] == "roofline" else _ratios(lines)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(target, dpi=130)
    pyplot.close(figure)


def _peaks(lines: Sequence[dict[str, Any]]) -> Any:
    timed = [line for line in lines if "gmacs" in line]
    labels = [f"{line['case']}, {line['threads']} thread(s)" for line in timed]
    figure, axes = pyplot.subplots(figsize=(9, 1.5 + 0.3 * len(labels)))
    bars = axes.barh(range(len(labels)), [line["gmacs"] for line in timed])
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("GMAC/s in registers, best round")
    return figure


def _ratios(lines: Sequence[dict[str, Any]]) -> Any:
    timed = [line for line in lines if line.get("ratio") is not None]
    labels = list(dict.fromkeys(f"{line['group']}: {line['case']}" for line in timed))
    figure, axes = pyplot.subplots(figsize=(9, 1.5 + 0.2 * len(labels)))
    for number, peer in enumerate(dict.fromkeys(line["peer"] for line in timed)):
        own = [line for line in timed if line["peer"] == peer]
        color = f"C{number}"
        axes.scatter(
            [line["ratio"] for line in own],
            [labels.index(f"{line['group']}: {line['case']}") for line in own],
            s=22,
            edgecolors=color,
            facecolors=["none" if line.get("exact_peer") is False else color for line in own],
            label=peer,
        )
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("peer's time / ours (right of 1 we are faster; hollow: its output is wrong)")
    axes.legend(fontsize=7, loc="best")
    axes.grid(axis="x", alpha=0.3)
    return figure
