"""A finding as one C file that needs nothing but a compiler and the library."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable

import numpy as np

from kdq_ref.verify.kernel.abi import asset
from kdq_ref.verify.kernel.pipeline import compute
from kdq_ref.verify.kernel.trial import Call, Trial
from kdq_ref.verify.kernel.verdict import Finding

_TYPES = {"float32": "float", "float64": "double"}
_INCLUDES = ("dlfcn", "pthread", "signal", "stdio", "stdlib", "string", "sys/mman", "unistd")
_WIDTH = 96
MADE_BY = "/* Made by `kdq verify`:"
"""What every reproducer begins with."""
_ELEMENTS_AT_ONCE = 10_000_000  # of all rounds of calls at once, which take seconds


def reproducer(finding: Finding, library: str | os.PathLike[str], symbol: str, limit: float) -> str:
    """Return the source of a program that repeats the finding's calls.

    It prints what was expected and what came, and exits with 1 if anything is wrong, else with 0.

    Parameters
    ----------
    finding : Finding
    library : path-like
        What it loads unless it is given another path.
    symbol : str
    limit : float
        Seconds after which the kernel hangs.
    """
    trial = finding.trial
    family = trial.calls[0].problem.abi.family
    element = _c_type(np.dtype(trial.calls[0].problem.abi.output))
    body = asset("reproducer.c")
    main = body.index("int main(")
    head = [
        f"{MADE_BY} {_comment(finding.words)}",
        " *",
        " *     cc -o reproduce reproduce.c -ldl -lpthread && ./reproduce [LIBRARY]",
        " *",
        " * Exit status 1: reproduced. 0: every result is right. 2: it could not be tried. */",
        "#define _GNU_SOURCE",
        *(f"#include <{name}.h>" for name in _INCLUDES),
        "#ifdef __GLIBC__",
        "#include <malloc.h>",
        "#endif",
        "",
        asset("kdq_kernel_abi.h"),
        f"#define LIBRARY {_string(os.fspath(library))}",
        f"#define SYMBOL {_string(symbol)}",
        f"#define STRUCT {family.c_type}",
        f"#define ELEMENT {element}",
        f"#define CALLS {len(trial.calls)}",
        f"#define AT_ONCE {int(trial.together)}",
        f"#define ROUNDS {_rounds(trial)}",
        f"#define SECONDS {max(1, math.ceil(limit))}",
        "",
    ]
    return "\n".join([*head, body[:main], *_data(trial), "", body[main:]])


def _rounds(trial: Trial) -> int:
    """How often to try: many short calls, or a few long ones; once what needs no luck."""
    if not trial.together:
        return 1
    elements = sum(a.size for call in trial.calls for a in call.problem.inputs.values())
    return max(10, min(1000, _ELEMENTS_AT_ONCE // max(1, elements)))


def _data(trial: Trial) -> Iterable[str]:
    known: dict[tuple[str, bytes], str] = {}
    for number, call in enumerate(trial.calls):
        yield from _call(number, call, known)
    names = ", ".join(f"prepare_{number}" for number in range(len(trial.calls)))
    yield f"static void (*const prepare[])(call *) = {{{names}}};"


def _call(number: int, call: Call, known: dict[tuple[str, bytes], str]) -> Iterable[str]:
    """The arrays of one call, and the function that fills its structure.

    ``known`` are arrays that are written already: equal ones are not written twice.
    """
    problem, setting = call.problem, call.setting
    arrays = problem.arrays
    expected = compute(problem, call.memory())
    written: dict[str, str] = {}
    for name, array in {**arrays, "expected": expected}.items():
        key = (array.dtype.name, array.tobytes())
        written[name] = known.setdefault(key, f"{name}_{number}")
        if written[name] != f"{name}_{number}":
            continue
        yield f"static const {_c_type(array.dtype)} {name}_{number}[] = {{"
        yield from _numbers(array)
        yield "};"
    yield ""
    yield f"static void prepare_{number}(call *c)"
    yield "{"
    for name in ("at_end", "readable", "output_fill", "scratch_fill", "stack_fill", "heap_fill"):
        yield f"    c->{name} = {int(getattr(setting, name))};"
    yield f"    c->scratch_slack = {_slack(call, 'scratch')};"
    for name, value in problem.sizes.items():
        yield f"    c->args.{name} = {value};"
    for name, array in arrays.items():
        owner = "args" if name in problem.inputs else "requant"
        size, slack = array.nbytes, _slack(call, name)
        yield f'    c->{owner}.{name} = input(c, "{name}", {written[name]}, {size}, {slack});'
    if problem.scaling is not None:
        s = problem.scaling
        for name, value in (("zero_point", s.zero_point), ("qmin", s.qmin), ("qmax", s.qmax)):
            yield f"    c->requant.{name} = {value};"
        yield f"    c->requant.channels = {len(s.real)};"
        yield "    c->args.requant = &c->requant;"
    name = problem.abi.family.output
    size, slack = expected.nbytes, _slack(call, name)
    yield f"    c->args.{name} = output(c, {written['expected']}, {size}, {slack});"
    yield "}"
    yield ""


def _slack(call: Call, name: str) -> int:
    return call.setting.slack.get(name, call.setting.slack.get("*", 0))


def _numbers(array: np.ndarray) -> Iterable[str]:
    """Initializers in lines of readable width; C has no empty arrays, so that 0 stands for none."""
    line = "   "
    for value in array.tolist() or [0]:
        text = _number(value, array.dtype) + ","
        if len(line) + len(text) + 1 > _WIDTH:
            yield line
            line = "   "
        line += " " + text
    yield line


def _number(value: float, dtype: np.dtype) -> str:
    if dtype.kind == "f":
        return float(value).hex() + ("f" if dtype == np.float32 else "")
    return "-2147483647 - 1" if value == -(2**31) else str(value)


def _c_type(dtype: np.dtype) -> str:
    return _TYPES.get(dtype.name, f"{dtype.name}_t")


def _string(text: str) -> str:
    """A C string literal, whatever it holds."""
    plain = "".join(
        chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}"
        for b in os.fsencode(text)
    )
    return f'"{plain}"'


def _comment(text: str) -> str:
    """Text that cannot end a comment."""
    return "".join(c if c.isprintable() else " " for c in text).replace("*/", "* /")
