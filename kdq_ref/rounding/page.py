"""The generated parts of this package's README: tables of rules and differences, and a picture.

``kdq rules page --write kdq_ref/rounding/README.md`` renews them; a test fails if they are old.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.rounding.difference import Difference, compare_all
from kdq_ref.rounding.int16x8 import RULES_16X8, Requant16x8
from kdq_ref.rounding.reason import derive, reasons
from kdq_ref.rounding.requant import RULES, Requant

BEGIN, END = "<!-- generated: {} -->", "<!-- end of generated: {} -->"
PICTURE = "rules.svg"
"""Name of the picture, beside the page."""

_MULTIPLIERS = (
    ("1/4", 0.25, "powers of two: every fourth accumulator may be a tie"),
    ("0.00138", 0.00138, "a multiplier as networks have them"),
    ("0x5A827999:-19", 0x5A827999 * 2.0**-50, "about 1.35e-6: accumulators of a million"),
    ("0x40000000:-23", 2.0**-24, "accumulators above 2**24, which float32 cannot hold"),
)
_NEIGHBOURS = (
    ("single_rounding", "double_rounding", (1.0, 0.25, 1.0)),
    ("double_rounding", "double_rounding_ties_up", (1.0, 0.25, 1.0)),
    ("single_rounding", "double_rounding_ties_up", (1.0, 0.25, 1.0)),
    ("single_rounding", "onnx_spec", (1.0, 0.25, 1.0)),
    ("float64_half_away", "onnx_spec", (1.0, 0.25, 1.0)),
    ("float32_rne", "onnx_spec", (1.0, 2.0**-24, 1.0)),
    ("float32_rne", "onnx_spec", (0.1, 0.003, 0.7)),
    ("rndnu", "single_rounding", (0.1, 0.003, 0.7)),
    ("qnnpack", "double_rounding", (1.0, 0.7, 1.0)),
    ("fbgemm", "float32_rne", (1.0, 1.5, 1.0)),
)

_CELL, _NAME, _LINE, _GAP = 26, 210, 22, 40
_COLOURS = {-1: "#9ecae1", 0: "#f7f7f7", 1: "#fdae6b"}


def _requants(scales: tuple[float, float, float], names: Sequence[str]) -> list[Requant]:
    return [Requant(RULES[name], RULES[name].constants(*scales), 0) for name in names]


def render() -> dict[str, str]:
    """Return every generated part of the page, by name."""
    return {
        "rules": _rules(),
        "sources": _sources(),
        "differences": _differences(),
        "reasons": _reasons(),
        "int16x8": _int16x8(),
    }


def renew(page: str) -> str:
    """Return the page with every generated part renewed.

    Raises
    ------
    InvalidArgumentError
        If a part has no place in the page.
    """
    for name, text in render().items():
        begin, end = BEGIN.format(name), END.format(name)
        head, found, rest = page.partition(begin)
        _, closed, tail = rest.partition(end)
        if not (found and closed):
            raise InvalidArgumentError(f"the page has no place for {name!r}: {begin} ... {end}")
        page = f"{head}{begin}\n{text}\n{end}{tail}"
    return page


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _rules() -> str:
    return _table(
        ("rule", "y, before zero point and clamp", "ties", "C form"),
        [
            (f"`{rule.name}`", f"`{rule.formula}`", rule.ties, f"`KDQ_{rule.name.upper()}`")
            for rule in (*RULES.values(), *RULES_16X8.values())
        ],
    )


def _sources() -> str:
    rules = (*RULES.values(), *RULES_16X8.values())
    return "\n".join(f"- `{rule.name}`: {rule.source}." for rule in rules)


def _differences() -> str:
    names, parts = list(RULES), []
    for text, real, why in _MULTIPLIERS:
        found = compare_all(_requants((1.0, real, 1.0), names))
        cells = {difference.rules: _cell(difference) for difference in found}
        rows = [[f"`{a}`", *(cells.get((a, b), "") for b in names[1:])] for a in names[:-1]]
        table = _table(["", *(f"`{name}`" for name in names[1:])], rows)
        parts.append(f"**M = {text}**: {why}.\n\n{table}")
    return "\n\n".join(parts)


def _cell(difference: Difference) -> str:
    if difference.smallest is None:
        return "="
    return f"{difference.smallest:,} ({difference.count:,})"


def _reasons() -> str:
    lines = []
    for a, b, scales in _NEIGHBOURS:
        first, second = _requants(scales, (a, b))
        found = compare_all((first, second))[0]
        if found.smallest is None:
            raise InvalidArgumentError(f"{a} and {b} do not differ with scales {scales}")
        s_x, s_w, s_y = scales
        written = f"{s_w:.6g}" if s_x == s_y == 1 else f"{s_x:g} * {s_w:g} / {s_y:g}"
        lines.append(f"- `{a}` and `{b}`, M = {written}, accumulator {found.smallest:,}:")
        lines += [f"  - {said}" for said in reasons(first, second, found.smallest)]
        lines += [f"  - `{derive(one, found.smallest)}`" for one in (first, second)]
    return "\n".join(lines)


def _int16x8() -> str:
    rows = []
    for text, real, _ in _MULTIPLIERS[:2]:
        requants = [
            Requant16x8(rule.constants(1.0, real, 1.0), rule=rule) for rule in RULES_16X8.values()
        ]
        for found in compare_all(requants):
            smallest = "none" if found.smallest is None else f"{found.smallest:,}"
            codes = "" if found.codes is None else f"{found.codes[0]} against {found.codes[1]}"
            names = [f"`{name}`" for name in found.rules]
            rows.append([text, *names, smallest, codes, f"{found.count:,}"])
    header = ("M", "rule", "rule", "smallest accumulator", "int16 codes", "differ of 2^32")
    return _table(header, rows)


def picture() -> str:
    """Draw the codes of every rule where they part: at ties, and above ``2**24`` (an SVG)."""
    centre = 3 * 2**23
    panels = [
        ("M = 1/4: the code of each accumulator", 0.25, range(-10, 11), 0),
        (
            "M = 2^-24: accumulators that float32 cannot hold",
            2.0**-24,
            range(centre - 4, centre + 5),
            centre,
        ),
    ]
    names = list(RULES)
    width = _NAME + 21 * _CELL + 10
    height = len(panels) * (_GAP + (len(names) + 1) * _LINE) + _GAP
    size = f'width="{width}" height="{height}"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="monospace" font-size="12">',
        f'<rect {size} fill="white"/>',
    ]
    top = 24
    for title, real, accumulators, base in panels:
        drawn += _panel(top, title, real, accumulators, base)
        top += _GAP + (len(names) + 1) * _LINE
    drawn.append(
        f'<text x="8" y="{top}">orange: one above onnx_spec; blue: one below; '
        "onnx_spec rounds the real product half to even</text>"
    )
    return "\n".join([*drawn, "</svg>"]) + "\n"


def _panel(top: int, title: str, real: float, accumulators: range, base: int) -> list[str]:
    acc = np.array(accumulators)
    codes = {
        requant.rule.name: requant.apply(acc).astype(int)
        for requant in _requants((1.0, real, 1.0), list(RULES))
    }
    base_text = f"{base:,} + " if base else ""
    drawn = [f'<text x="8" y="{top}" font-weight="bold">{title}</text>']
    y = top + _LINE
    drawn.append(f'<text x="8" y="{y}" fill="#555">accumulator: {base_text}</text>')
    for n, value in enumerate(accumulators):
        x = _NAME + n * _CELL + _CELL // 2
        drawn.append(
            f'<text x="{x}" y="{y}" fill="#555" text-anchor="middle">{value - base}</text>'
        )
    for name, row in codes.items():
        y += _LINE
        drawn.append(f'<text x="8" y="{y}">{name}</text>')
        for n, code in enumerate(row):
            x = _NAME + n * _CELL
            colour = _COLOURS[int(np.sign(code - codes["onnx_spec"][n]))]
            drawn.append(
                f'<rect x="{x}" y="{y - 15}" width="{_CELL - 1}" height="{_LINE - 1}" '
                f'fill="{colour}"/>'
                f'<text x="{x + _CELL // 2}" y="{y}" text-anchor="middle">{code}</text>'
            )
    return drawn
