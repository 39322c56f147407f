"""Comparisons over seeds add up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.pipeline import Job, compare


def test_statistics_are_those_of_the_rows(tmp_path: Path) -> None:
    """Means, sample deviations, wins and the winner follow from what is listed."""
    result = compare(Job(epochs=1, labels=100), [0, 5], tmp_path)
    assert [row["seed"] for row in result["seeds"]] == [0, 5]
    for name in ("teacher", "student_scratch", "student_distilled"):
        values = [row[name] for row in result["seeds"]]
        assert result["mean"][name] == np.mean(values)
        assert result["std"][name] == pytest.approx(np.std(values, ddof=1))
    pairs = [(row["student_scratch"], row["student_distilled"]) for row in result["seeds"]]
    assert result["wins"]["distilled"] == sum(d > s for s, d in pairs)
    assert sum(result["wins"].values()) == 2
    margin = np.mean([d - s for s, d in pairs])
    assert result["winner"] == ("distilled" if margin > 0 else "scratch" if margin < 0 else "tie")
    assert (tmp_path / "seed-5" / "teacher.safetensors").exists()


@pytest.mark.parametrize("seeds", [[], [1, 1]])
def test_seeds_must_differ(seeds: list[int], tmp_path: Path) -> None:
    """Counting one run twice is no evidence."""
    with pytest.raises(InvalidArgumentError, match="seeds"):
        compare(Job(), seeds, tmp_path)
