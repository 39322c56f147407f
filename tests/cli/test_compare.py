"""`kdq compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from kdq_ref.cli.compare import SeedList, show, verdict


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("5", (0, 1, 2, 3, 4)), ("1", (0,)), ("0,7,3", (0, 7, 3)), ("3,", (3,)), ("2, 1", (2, 1))],
)
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    """A number is how many, a list is which."""
    assert SeedList().convert(text, None, None) == seeds


@pytest.mark.parametrize("text", ["0", "-1", "1,1", "1,-2", "x", "", ",", "1.5", "1,,2"])
def test_wrong_seeds(text: str) -> None:
    """None, negative, twice, or no numbers: wrong usage."""
    with pytest.raises(click.BadParameter):
        SeedList().convert(text, None, None)


def test_two_seeds(invoke, report: dict[str, Any], tmp_path: Path) -> None:
    """Every seed is reported; seed 0 is the run of `kdq run`."""
    arguments = ("compare", "--seeds", "0,5", "--epochs", 1, "--out", tmp_path)
    outcome = invoke(*arguments, "--json", "-q")
    assert outcome.code == 0
    assert outcome.stderr == ""
    result = outcome.json
    assert [row["seed"] for row in result["seeds"]] == [0, 5]
    for name in ("teacher", "student_scratch", "student_distilled"):
        assert result["seeds"][0][name] == report[name]["accuracy"]
    assert result["winner"] in ("distilled", "scratch", "tie")

    again = invoke(*arguments, "--resume")
    assert "standard deviation" in again.stdout
    assert verdict(result) in again.stdout


def _report(scratch: float, distilled: float, winner: str) -> dict[str, Any]:
    row = {"teacher": 0.9, "student_scratch": scratch, "student_distilled": distilled}
    return {
        "dataset": "d",
        "labels": 50,
        "seeds": [{"seed": 0, **row}],
        "mean": row,
        "std": dict.fromkeys(row, 0.0),
        "wins": {"distilled": int(winner == "distilled"), "scratch": 0, "ties": 0},
        "winner": winner,
    }


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (_report(0.5, 0.75, "distilled"), "Distillation won by 25.00 points"),
        (_report(0.75, 0.5, "scratch"), "Training from scratch won by 25.00 points"),
        (_report(0.5, 0.5, "tie"), "Nobody won"),
    ],
)
def test_who_won(report: dict[str, Any], words: str, capsys) -> None:
    """The verdict is plain, whoever won."""
    show(report)
    assert words in capsys.readouterr().out.splitlines()[-1]
