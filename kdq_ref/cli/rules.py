"""``kdq rules``: the rounding rules, and where two of them differ."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from kdq_ref.cli import options, output
from kdq_ref.errors import FileFormatError
from kdq_ref.files import write_atomically
from kdq_ref.rounding import RULES, RULES_16X8, Requant, Requant16x8, Rule, page
from kdq_ref.rounding.difference import AnyRequant, compare
from kdq_ref.rounding.reason import derive, reasons

MULTIPLIERS = ("1/2", "1/4", "1/3", "0.7", "0.01", "0.00138", "0x40000000:-9", "0x5A827999:-19")
"""What ``diff`` tries if it is told none."""

_RULES = {**RULES, **RULES_16X8}
_MANTISSA = re.compile(r"0x([0-9a-f]{1,8}):([+-]?\d{1,2})", re.IGNORECASE)


class _Multiplier(click.ParamType):
    """A positive real number, as a decimal, a fraction, or a mantissa and a shift."""

    name = "M"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Return the text and the number."""
        if isinstance(value, tuple):
            return value
        try:
            found = _MANTISSA.fullmatch(value)
            if found:
                number = int(found[1], 16) * 2.0 ** (int(found[2]) - 31)
            else:  # a Fraction of 1e99999999 would be that many digits long
                number = float(Fraction(value) if "/" in value else value)
        except (ValueError, ZeroDivisionError, OverflowError):
            number = 0.0
        if not 0 < number < float("inf"):
            self.fail(
                f"{value!r} is no positive number: give 0.00138, 1/3, or 0x40000000:-1, which is "
                "0x40000000 * 2**(-1 - 31)",
                param,
                ctx,
            )
        return value, number


@click.group("rules", invoke_without_command=True)
@options.json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """The rounding rules, and where two of them differ.

    \b
    Examples:
      kdq rules                                         all of them
      kdq rules show double_rounding
      kdq rules diff double_rounding single_rounding --multiplier 1/4
      kdq rules diff float32_rne onnx_spec --multiplier 0x40000000:-23
    """
    if ctx.invoked_subcommand is not None:
        return
    known = list(_RULES.values())
    if as_json:
        output.print_json({"rules": [describe(rule) for rule in known]})
        return
    output.print_table(
        ("rule", "accumulator", "ties", "constants", "C form"),
        [[rule.name, _width(rule), rule.ties, " ".join(rule.uses), c_name(rule)] for rule in known],
    )
    output.print_facts({rule.name: rule.formula for rule in known})
    output.print_line("kdq rules show RULE says who computes so, and where that is written.")


def c_name(rule: Rule) -> str:
    """Name of the rule in ``csrc/kdq.h``; formula and code are in ``csrc/requant.c``."""
    return f"KDQ_{rule.name.upper()}"


def _width(rule: Rule) -> str:
    return "int64" if rule.name in RULES_16X8 else "int32"


def describe(rule: Rule) -> dict[str, Any]:
    """Return all that a rule says about itself (JSON-able)."""
    return {
        "name": rule.name,
        "accumulator": _width(rule),
        "formula": rule.formula,
        "ties": rule.ties,
        "source": rule.source,
        "constants": list(rule.uses),
        "limits": list(rule.limits),
        "c": c_name(rule),
    }


@command.command("show")
@click.argument("name", metavar="RULE", type=click.Choice(list(_RULES)))
@options.json_option
def show(name: str, as_json: bool) -> None:
    """Show a rule: its formula, and who computes so."""
    rule = _RULES[name]
    if as_json:
        output.print_json(describe(rule))
        return
    output.print_facts(
        {
            "rule": rule.name,
            "formula": rule.formula,
            "ties": rule.ties,
            "multipliers": f"{rule.limits[0]:g} <= M < {rule.limits[1]:g}",
            "constants": ", ".join(rule.uses),
            "who computes so": rule.source,
            "C form": f"{c_name(rule)} in csrc/requant.c",
        }
    )


@command.command("diff")
@click.argument("a", metavar="A", type=click.Choice(list(_RULES)))
@click.argument("b", metavar="B", type=click.Choice(list(_RULES)))
@click.option(
    "--multiplier",
    "multipliers",
    type=_Multiplier(),
    multiple=True,
    help="M = input scale * weight scale / output scale, as 0.00138, 1/3 or 0xMANTISSA:SHIFT "
    "(mantissa * 2**(shift - 31)); may be repeated.  [default: eight of all kinds]",
)
@click.option(
    "--scales",
    nargs=3,
    type=click.FloatRange(0, min_open=True),
    metavar="S_X S_W S_Y",
    help="The three scales instead of M: rules form it in different precision.",
)
@click.option(
    "--zero-point",
    type=click.IntRange(-128, 127),
    default=0,
    show_default=True,
    help="Of the output; 16x8 has none.",
)
@options.json_option
def diff(
    a: str,
    b: str,
    multipliers: tuple[tuple[str, float], ...],
    scales: tuple[float, float, float] | None,
    zero_point: int,
    as_json: bool,
) -> None:
    """Compare the codes of two rules over all 2**32 accumulators of int32, exactly: int8 codes, or
    int16 codes of two rules of 16x8.

    \b
    Examples:
      kdq rules diff double_rounding double_rounding_ties_up --multiplier 0x40000000:-1
      kdq rules diff reduced_16x8 double_rounding_16x8 --multiplier 0.00138
      kdq rules diff rndnu single_rounding --scales 0.1 0.003 0.7
    """
    if multipliers and scales:
        raise click.UsageError("give --multiplier or --scales, not both")
    if (a in RULES) is not (b in RULES):
        raise click.UsageError(
            f"{a} and {b} cannot be compared: one makes int8 codes, the other int16 codes of 16x8"
        )
    if a not in RULES and zero_point:
        raise click.UsageError("--zero-point: 16x8 is symmetric, its zero point is 0")
    asked: list[tuple[str, tuple[float, float, float]]]
    if scales:
        asked = [(" * ".join(f"{s:g}" for s in scales[:2]) + f" / {scales[2]:g}", scales)]
    else:
        chosen = multipliers or tuple(_Multiplier().convert(m, None, None) for m in MULTIPLIERS)
        asked = [(text, (1.0, number, 1.0)) for text, number in chosen]
    limit = min(_RULES[a].limits[1], _RULES[b].limits[1])
    if not (multipliers or scales):
        asked = [one for one in asked if one[1][1] < limit]
    report = {
        "a": a,
        "b": b,
        "codes": "int8" if a in RULES else "int16",
        "zero_point": zero_point,
        "accumulators": 2**32,
        "differences": [
            difference(_RULES[a], _RULES[b], text, formed_from, zero_point)
            for text, formed_from in asked
        ],
    }
    if as_json:
        output.print_json(report)
    else:
        _show_difference(report)


def difference(
    a: Rule, b: Rule, text: str, scales: tuple[float, float, float], zero_point: int
) -> dict[str, Any]:
    """Compare two rules at one multiplier (JSON-able).

    Raises
    ------
    RangeError, NotFiniteError
        If a rule does not take this multiplier.
    """
    first, second = (_requant(rule, scales, zero_point) for rule in (a, b))
    found = compare(first, second)
    report: dict[str, Any] = {
        "multiplier": text,
        "count": found.count,
        "smallest": found.smallest,
        "codes": list(found.codes) if found.codes else None,
        "largest": found.largest,
        "largest_at": found.largest_at,
        "reasons": [],
        "steps": [],
    }
    if found.smallest is not None:
        report["reasons"] = list(reasons(first, second, found.smallest))
        report["steps"] = [str(derive(one, found.smallest)) for one in (first, second)]
    return report


def _requant(rule: Rule, scales: tuple[float, float, float], zero_point: int) -> AnyRequant:
    constants = rule.constants(*scales)
    if rule.name in RULES_16X8:
        return Requant16x8(constants, rule=rule)
    return Requant(rule, constants, zero_point)


def _show_difference(report: dict[str, Any]) -> None:
    rows = [
        [
            one["multiplier"],
            output.count(one["count"]),
            *(
                ["", "", ""]
                if one["codes"] is None
                else [
                    output.count(one["smallest"]),
                    f"{one['codes'][0]} against {one['codes'][1]}",
                    f"{one['largest']} at {one['largest_at']:,}",
                ]
            ),
        ]
        for one in report["differences"]
    ]
    columns = ("M", "differ", "smallest", "codes there", "largest difference")
    title = (
        f"{report['a']} against {report['b']}: {report['codes']} codes of all 2**32 accumulators"
    )
    if report["codes"] == "int8":
        title += f", zero point {report['zero_point']}"
    output.print_table(columns, rows, title)
    for one in report["differences"]:
        if one["codes"] is None:
            continue
        output.print_line(f"M = {one['multiplier']}, accumulator {one['smallest']}:")
        for line in [*one["reasons"], *one["steps"]]:
            output.print_line(f"  {line}")


@command.command("page")
@click.option(
    "--write",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Renew this page's generated parts, and the picture beside it.",
)
@options.json_option
def render_page(path: Path | None, as_json: bool) -> None:
    """Print the generated parts of the page about rules, or renew them in place."""
    if path is not None:
        try:
            renewed = page.renew(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as fault:
            raise FileFormatError(path, f"is no page in UTF-8: {fault}") from fault
        write_atomically(path, renewed.encode())
        write_atomically(path.with_name(page.PICTURE), page.picture().encode())
    elif as_json:
        output.print_json(page.render())
    else:
        for text in page.render().values():
            for line in text.splitlines():
                output.print_line(line)
