"""The README's Python example runs and prints what it says it prints."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def _example() -> tuple[str, list[str]]:
    text = README.read_text(encoding="utf-8")
    match = re.search(
        r"<!-- test: readme -->\n```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL
    )
    assert match is not None, "the README's example has lost its markers"
    return match[1], match[2].splitlines()


def test_example_prints_what_it_says() -> None:
    """Words are equal; accuracies within three points, since BLAS libraries round differently."""
    code, expected = _example()
    captured = io.StringIO()
    with contextlib.redirect_stdout(captured):
        exec(compile(code, str(README), "exec"), {})
    printed = captured.getvalue().splitlines()
    number = re.compile(r"\d+\.\d+")
    assert [number.sub("#", line) for line in printed] == [
        number.sub("#", line) for line in expected
    ]
    assert [float(n) for line in printed for n in number.findall(line)] == pytest.approx(
        [float(n) for line in expected for n in number.findall(line)], abs=0.03
    )


def test_example_is_about_fifteen_lines() -> None:
    """Plain calls, as promised."""
    code, _ = _example()
    assert len([line for line in code.splitlines() if line.strip()]) <= 18
