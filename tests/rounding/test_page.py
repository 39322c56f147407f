"""The page about rules says what the rules do today."""

from __future__ import annotations

import re
import xml.dom.minidom
from pathlib import Path

import pytest

import kdq_ref.rounding
from kdq_ref.errors import InvalidArgumentError
from kdq_ref.rounding import RULES, RULES_16X8, Requant, page
from kdq_ref.rounding.difference import compare

FOLDER = Path(kdq_ref.rounding.__file__).parent
README = FOLDER / "README.md"
pytestmark = pytest.mark.skipif(not README.exists(), reason="installed without its README")


def test_the_page_is_up_to_date() -> None:
    """If not: kdq rules page --write kdq_ref/rounding/README.md."""
    text = README.read_text(encoding="utf-8")
    assert page.renew(text) == text


def test_the_picture_is_up_to_date() -> None:
    """The same command renews it."""
    drawn = (FOLDER / page.PICTURE).read_text(encoding="utf-8")
    assert drawn == page.picture()
    assert f"({page.PICTURE})" in README.read_text(encoding="utf-8")


def test_the_picture_shows_the_codes() -> None:
    """One cell for each rule and accumulator of either panel, with its code."""
    cells = xml.dom.minidom.parseString(page.picture()).getElementsByTagName("rect")
    assert len(cells) - 1 == len(RULES) * (21 + 9)
    coloured = [cell for cell in cells if cell.getAttribute("fill") == "#9ecae1"]
    assert len(coloured) == 6  # -10 and -2, under the three rules with ties away from zero


def test_every_rule_is_on_the_page() -> None:
    """Formula, C form and source."""
    text = README.read_text(encoding="utf-8")
    for rule in (*RULES.values(), *RULES_16X8.values()):
        assert f"| `{rule.formula}` |" in text
        assert f"- `{rule.name}`: {rule.source}." in text
        assert f"`KDQ_{rule.name.upper()}`" in text


def test_a_cell_is_the_smallest_difference_and_the_count() -> None:
    """Read back from the first table."""
    text = page.render()["differences"].split("**M = ")[1]
    header, _, *rows = (line for line in text.splitlines() if line.startswith("|"))
    columns = re.findall(r"`(\w+)`", header)
    row = next(line for line in rows if line.startswith("| `single_rounding`"))
    cells = dict(zip(columns, row.strip("| ").split(" | ")[1:], strict=True))
    a, b = (
        Requant(RULES[name], RULES[name].constants(1.0, 0.25, 1.0), 0)
        for name in ("single_rounding", "onnx_spec")
    )
    found = compare(a, b)
    assert cells["onnx_spec"] == f"{found.smallest} ({found.count})"
    assert cells["rndnu"] == "="


def test_a_page_without_a_place_for_a_part_is_refused() -> None:
    """Marks that went missing would leave old tables behind."""
    with pytest.raises(InvalidArgumentError, match="no place for 'rules'"):
        page.renew("# A page\n")
