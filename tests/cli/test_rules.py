"""`kdq rules`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdq_ref.cli import rules
from kdq_ref.rounding import RULES, RULES_16X8, page


def test_the_list_has_every_rule(invoke) -> None:
    """Name, formula, source and C form; the same in both forms."""
    listed = invoke("rules", "--json").json["rules"]
    assert [rule["name"] for rule in listed] == [*RULES, *RULES_16X8]
    assert {rule["accumulator"] for rule in listed} == {"int32", "int64"}
    printed = invoke("rules").stdout
    for rule in listed:
        assert rule["formula"] in printed
        assert rule["c"] in printed


@pytest.mark.parametrize("name", [*RULES, *RULES_16X8])
def test_show_has_the_whole_rule(invoke, name: str) -> None:
    """Source and limits, too."""
    described = invoke("rules", "show", name, "--json").json
    rule = {**RULES, **RULES_16X8}[name]
    assert (described["source"], described["formula"]) == (rule.source, rule.formula)
    printed = invoke("rules", "show", name).stdout
    assert rule.source in printed
    assert rules.c_name(rule) in printed


def test_the_difference_at_one_multiplier(invoke) -> None:
    """Counts, the smallest accumulator and the reason, in both forms."""
    arguments = ["rules", "diff", "single_rounding", "double_rounding", "--multiplier", "1/4"]
    (found,) = invoke(*arguments, "--json").json["differences"]
    assert (found["count"], found["smallest"], found["codes"]) == (255, 1, [0, 1])
    assert found["reasons"][0].startswith("double_rounding: 0.25, rounded to 32 bits first, 0.5")
    printed = invoke(*arguments).stdout
    assert "255" in printed
    assert "single_rounding: 1 * M = 0.25: 0" in printed


@pytest.mark.parametrize("text", ["0.25", "1/4", "0x40000000:-1", "0x20000000:0", "2.5e-1"])
def test_a_multiplier_can_be_written_in_many_ways(invoke, text: str) -> None:
    """Decimal, fraction, mantissa and shift."""
    report = invoke("rules", "diff", "rndnu", "onnx_spec", "--multiplier", text, "--json").json
    assert report["differences"][0]["smallest"] == 2


def test_without_a_multiplier_there_are_several(invoke) -> None:
    """Those that both rules take."""
    found = invoke("rules", "diff", "qnnpack", "float32_rne", "--json").json["differences"]
    assert [one["multiplier"] for one in found] == list(rules.MULTIPLIERS)
    assert any(one["count"] for one in found)
    same = invoke("rules", "diff", "rndnu", "rndnu", "--json").json["differences"]
    assert not any(one["count"] or one["reasons"] for one in same)
    assert "against" in invoke("rules", "diff", "rndnu", "rndnu").stdout


def test_scales_show_how_a_multiplier_is_formed(invoke) -> None:
    """In float32, step by step, or in float64."""
    arguments = ["rules", "diff", "rndnu", "single_rounding", "--scales", 0.1, 0.003, 0.7]
    (found,) = invoke(*arguments, "--zero-point", 5, "--json").json["differences"]
    product = np.float32(0.1) * np.float32(0.003) / np.float32(0.7)
    assert f"{float(product):.12g}" in found["reasons"][0]
    assert found["codes"] == [7, 6]
    assert invoke(*arguments, "--multiplier", "1/2").code == 2


@pytest.mark.parametrize(
    "text", ["0", "-1", "1/0", "0x40000000", "half", "0x1:999", "nan", "inf", "1e99999999"]
)
def test_what_is_no_multiplier_is_refused(invoke, text: str) -> None:
    """With the forms that are understood."""
    outcome = invoke("rules", "diff", "rndnu", "onnx_spec", "--multiplier", text)
    assert outcome.code == 2
    assert "0x40000000:-1" in outcome.stderr


def test_a_multiplier_that_a_rule_does_not_take(invoke) -> None:
    """The rule's own error."""
    outcome = invoke("rules", "diff", "qnnpack", "onnx_spec", "--multiplier", "2")
    assert outcome.code == 1
    assert "below 2**0" in outcome.stderr


def test_rules_of_16x8_are_compared_by_their_own_codes(invoke) -> None:
    """int16 codes, no zero point, and nothing beside a rule of int8."""
    names = ("reduced_16x8", "double_rounding_16x8")
    report = invoke("rules", "diff", *names, "--multiplier", "0.7", "--json").json
    assert report["codes"] == "int16"
    assert report["differences"][0]["codes"] == [5735, 5734]
    assert report["differences"][0]["smallest"] == 8192
    wrong = invoke("rules", "diff", *names, "--zero-point", 1)
    assert (wrong.code, "symmetric" in wrong.stderr) == (2, True)
    wrong = invoke("rules", "diff", "reduced_16x8", "fbgemm")
    assert (wrong.code, "cannot be compared" in wrong.stderr) == (2, True)


def test_the_page_is_renewed_in_place(invoke, tmp_path: Path) -> None:
    """Between the marks, and the picture beside it; without a file, the parts are printed."""
    marks = "".join(f"{page.BEGIN.format(p)} old {page.END.format(p)}" for p in page.render())
    path = tmp_path / "page.md"
    path.write_text(f"before {marks} after", encoding="utf-8")
    assert invoke("rules", "page", "--write", path).code == 0
    written = path.read_text(encoding="utf-8")
    assert written.startswith("before ")
    assert written.endswith(" after")
    assert " old " not in written
    assert (tmp_path / page.PICTURE).read_text(encoding="utf-8") == page.picture()
    parts = invoke("rules", "page", "--json").json
    assert parts == page.render()
    assert all(text in written for text in parts.values())
    assert parts["int16x8"].splitlines()[0] in invoke("rules", "page").stdout


def test_a_file_that_is_no_page_stays_as_it_is(invoke, tmp_path: Path) -> None:
    """Bytes that are no text, a text without marks: an error, and nothing is written."""
    for content in (b"\xff\xfe\x00", b"a text"):
        path = tmp_path / "page.md"
        path.write_bytes(content)
        outcome = invoke("rules", "page", "--write", path)
        assert outcome.code == 1
        assert "page" in outcome.stderr
        assert path.read_bytes() == content
        assert not (tmp_path / page.PICTURE).exists()
