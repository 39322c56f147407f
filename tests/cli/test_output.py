"""Standard output: numbers, tables, JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdq_ref.cli import output
from kdq_ref.train import LineReporter


def test_numbers_for_people() -> None:
    """Percent, thousands, points and microseconds."""
    assert output.percent(0.97125) == "97.12 %"
    assert output.count(1234567) == "1,234,567"
    assert output.points(-0.0028) == "-0.28 points"
    assert [output.micros(t) for t in (0.1234, 5.678, 99.4, 12345.6)] == [
        "0.123",
        "5.68",
        "99.4",
        "12,346",
    ]


def test_agreement_has_three_answers() -> None:
    """A difference is loud, and nothing compared is not the same as equal."""
    answers = [output.agreement(value) for value in (True, False, None)]
    assert answers[:2] == ["yes", "NO"]
    assert "not compared" in answers[2]


@settings(max_examples=25)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=6,
    )
)
def test_json_is_strict_ascii(value: object) -> None:
    """Whatever a report holds, what is printed parses without NaN and infinities."""
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("builtins.print", printed.append)
        output.print_json({"value": value})
    text = "".join(printed)
    assert text.isascii()
    json.loads(text, parse_constant=pytest.fail)


def test_cells_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Markup, emoji codes and control sequences from files have no effect."""
    output.print_table(["a", "b"], [["[red]x[/red] :smile:", "\x1b[31m\x07"]], title="[bold]t\x1b")
    printed = capsys.readouterr().out
    assert "[red]x[/red] :smile:" in printed
    assert "\\x1b[31m\\x07" in printed
    assert "[bold]t\\x1b" in printed
    assert "\x1b" not in printed


def test_long_tables_are_not_folded_into_a_pipe(capsys, monkeypatch) -> None:
    """Without a terminal there is room, unless COLUMNS says otherwise."""
    monkeypatch.delenv("COLUMNS", raising=False)
    row = ["x" * 70, "y" * 70]
    output.print_table(["a", "b"], [row])
    assert any(all(cell in line for cell in row) for line in capsys.readouterr().out.splitlines())
    monkeypatch.setenv("COLUMNS", "60")
    output.print_table(["a", "b"], [row])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 60


def test_facts_stand_below_each_other(capsys) -> None:
    """One line per fact, values aligned."""
    output.print_facts({"a": "1", "longer": "2\n3"})
    assert capsys.readouterr().out == "a:       1\nlonger:  2\\n3\n"


def test_progress_can_be_silent() -> None:
    """Quiet means no reporter at all."""
    assert output.progress(True) is None
    factory = output.progress(False)
    assert factory is not None
    assert isinstance(factory("teacher"), LineReporter)
