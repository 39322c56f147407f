"""Requantization over all 2^32 accumulators: vectorised epilogues, requant.c and NumPy agree.

``make exhaustive`` compiles the C core and ``exhaustive.c`` and runs the cases below, one per
process: each compares every vectorised epilogue that this CPU can run with ``csrc/requant.c``, and
some also compare ``requant.c`` with :mod:`kdq_ref.rounding`. Exit status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import runpy
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from kdq_ref.rounding import RULES, Constants, Requant

ROOT = Path(__file__).resolve().parents[2]
CHUNK = 2**16  # accumulators that NumPy takes at a time: its temporaries stay in the cache

FIXED_POINT = ("single_rounding", "double_rounding")
INT8 = (-128, 127)

# Primes leave a remainder at every accumulator; those next to a power of two leave the smallest.
NEXT_AFTER_2_30, NEAR_ROOT, LAST_BUT_ONE, LAST = 1073741827, 1518500279, 2147483629, 2**31 - 1
MULTIPLIERS = (2**30, LAST, NEXT_AFTER_2_30, LAST_BUT_ONE, NEAR_ROOT)
EXPONENTS = (-31, -30, -23, -13, -12, -9, -2, -1, 0, 1, 7, 8, 9, 22, 23, 24, 25, 29, 30)

# float32: least and greatest subnormal, greatest number.
LEAST, SUBNORMAL, GREATEST = 2.0**-149, 2.0**-126 - 2.0**-149, (2.0 - 2.0**-23) * 2.0**127
ODD_SCALE = float(np.float32(0.1 / 32))


@dataclass(frozen=True)
class Case:
    """Constants for all 2^32 accumulators, and what they would reveal."""

    why: str
    rule: str
    constants: tuple[Any, ...]  # of (multiplier, exponent) or of scale
    zero_point: int = 0
    clamp: tuple[int, int] = INT8
    biases: tuple[int, ...] = ()
    judged: bool = False  # by NumPy, too
    rotation: int = 0

    @property
    def channels(self) -> int:
        return max(len(self.constants), len(self.biases))

    def requant(self) -> Requant:
        pairs = self.rule in FIXED_POINT
        m, e = zip(*self.constants, strict=True) if pairs else ([0] * len(self.constants),) * 2
        scale = [0.0] * len(self.constants) if pairs else self.constants
        constants = Constants(
            np.array(m, np.int32), np.array(e, np.int32), np.array(scale, np.float32)
        )
        return Requant(RULES[self.rule], constants, self.zero_point, *self.clamp)

    def arguments(self, count: int) -> list[str]:
        if self.rule in FIXED_POINT:
            constants = [f"{m}:{e}" for m, e in self.constants]
        else:
            constants = [float(scale).hex() for scale in self.constants]
        return [
            *map(str, (RULES[self.rule].c_id, self.zero_point, *self.clamp)),
            ",".join(map(str, self.biases)) or "none",
            ",".join(constants),
            *map(str, (self.first(count), count)),
        ]

    def first(self, count: int) -> int:
        """The first accumulator, modulo 2^32."""
        return (-(count // 2) - self.rotation) % 2**32

    def __str__(self) -> str:
        if len(self.constants) > 1:
            constants = f"{len(self.constants)} channels"
        elif self.rule in FIXED_POINT:
            constants = "{} * 2^({} - 31)".format(*self.constants[0])
        else:
            constants = re.sub(r"(\.\d?[^p]*?)0*p", r"\1p", float(self.constants[0]).hex())
        shifted = f", rotated by {self.rotation}" if self.rotation else ""
        low, high = self.clamp
        after = f"zero point {self.zero_point}, clamp [{low}, {high}]"
        return f"{self.rule}: {constants}, {after}: {self.why}{shifted}"


def wraps(channels: int) -> tuple[int, ...]:
    """Biases all over int32, both ends among them."""
    spread = [k * 0x9E3779B1 % 2**32 - 2**31 for k in range(channels - 1)]
    return (*spread, 2**31 - 1)


def fixed_point_cases(rule: str) -> list[Case]:
    """What can go wrong with a multiplier and an exponent."""
    lanes = tuple((2**30 + k * 30678337, -9 - k % 5) for k in range(35))
    ends = (*zip(itertools.cycle(MULTIPLIERS), EXPONENTS, strict=False), (0, 0), (LAST, -8))

    def case(why: str, m: int, e: int, zero_point: int = 0, **rest: Any) -> Case:
        return Case(why, rule, ((m, e),), zero_point, **rest)

    return [
        case("the longest right shift; one tie in all, at -2^31", 2**30, -31),
        case("results of +-2 at most; their sum with the zero point saturates", LAST, -30, 127),
        case("a tie at every odd multiple of 2^13, of either sign", 2**30, -13),
        case("ties, and hardly anything saturates: all 32 bits matter", 2**30, -23, judged=True),
        case("the same, but every result is rounded", LAST, -24),
        case("the last exponent without a left shift for single_rounding", 2**30, -2, 127),
        case("the first with one; double_rounding rounds ties twice", 2**30, -1),
        case("every odd accumulator a tie", 2**30, 0, 127, clamp=(0, 127)),
        case("just beyond each tie: the low bits of the product decide", NEXT_AFTER_2_30, 0),
        case("just short of each tie: the low bits of the product decide", LAST, -1),
        case("the first left shift for double_rounding", NEAR_ROOT, 1, 3),
        case(
            "a left shift that saturates, by 24 in vectors",
            2**30,
            22 if rule == FIXED_POINT[0] else 24,
        ),
        case("the first left shift that vectors cut", LAST, 23 if rule == FIXED_POINT[0] else 25),
        case(
            "the longest left shift; fused ReLU at the other end", 2**30, 30, -128, clamp=(-128, 0)
        ),
        Case("a constant of its own in every lane: mixed-up lanes", rule, lanes, 3),
        Case(
            "every exponent and 0 side by side, behind biases that wrap; a tight clamp",
            rule,
            ends,
            -1,
            (-101, 99),
            wraps(len(ends)),
            judged=True,
        ),
        case("one constant behind biases that wrap", LAST_BUT_ONE, -12, 5, biases=wraps(19)),
    ]


def float_cases() -> list[Case]:
    """What can go wrong with a float32 multiplier."""
    lanes = tuple((1 + k / 64) * 2.0 ** (-9 - k % 5) for k in range(35))
    ends = (
        0.0,
        LEAST,
        SUBNORMAL,
        2.0**-126,
        2.0**-32,
        2.0**-31,
        2.0**-24,
        ODD_SCALE,
        0.5,
        1.0,
        1.5,
        2.0**7,
        2.0**9,
        2.0**31,
        2.0**96,
        2.0**97,
        GREATEST,
    )

    def case(why: str, scale: float, zero_point: int = 0, **rest: Any) -> Case:
        return Case(why, "float32_rne", (scale,), zero_point, **rest)

    return [
        case("every odd accumulator a tie", 0.5),
        case("a tie at every odd multiple of 2^12, of either sign", 2.0**-13, -1),
        case(
            "hardly anything saturates; above 2^24 the conversion to float32 rounds",
            2.0**-24,
            judged=True,
        ),
        case("conversion and product both round", (2 - 2.0**-23) * 2.0**-24, 127),
        case("only the product rounds", ODD_SCALE, clamp=(0, 127)),
        case("results are the accumulators", 1.0, 127),
        case("products up to the +-512 to which C clamps", 2.0**-22, -128),
        case("subnormal products", LEAST, 1),
        case("products of +-infinity", GREATEST, -128),
        case("scale 0: products of -0; a clamp to one value", 0.0, 5, clamp=(-1, -1)),
        Case("a constant of its own in every lane: mixed-up lanes", "float32_rne", lanes, 3),
        Case(
            "every magnitude side by side, behind biases that wrap; a tight clamp",
            "float32_rne",
            ends,
            -1,
            (-101, 99),
            wraps(len(ends)),
            judged=True,
        ),
        case("one constant behind biases that wrap", 2.0**-13, 5, biases=wraps(19)),
    ]


def more_cases(usual: list[Case]) -> list[Case]:
    """The usual cases, all of them before NumPy; all pairs of constants; all rotations."""
    offsets = itertools.cycle(itertools.product((-128, 0, 127), (INT8, (0, 127), (-6, 11))))
    scales = [
        mantissa * 2.0**exponent
        for mantissa in (1.0, 1.5, 1 + 2.0**-23, 2 - 2.0**-23)
        for exponent in (-126, -32, -31, -25, -23, -20, -12, -2, -1, 0, 1, 6, 9, 97, 127)
    ]
    pairs = list(itertools.product((*MULTIPLIERS, 0), EXPONENTS))
    return [
        *(replace(case, judged=True) for case in usual),
        *(
            Case("one of all pairs", rule, (pair,), *next(offsets))
            for rule in FIXED_POINT
            for pair in pairs
        ),
        *(Case("one of many scales", "float32_rne", (s,), *next(offsets)) for s in scales),
        *(
            replace(case, judged=False, rotation=r)
            for case in usual
            for r in range(1, len(case.constants))
        ),
    ]


@dataclass(frozen=True)
class Outcome:
    """What came of a case: results compared for each pair of implementations, and what differs."""

    case: Case
    compared: dict[str, int]
    difference: str
    seconds: float


def build(directory: str) -> str:
    """Compile the C core, with the flags it ships with, into the program."""
    program = str(Path(directory, "exhaustive"))
    core = runpy.run_path(str(ROOT / "csrc" / "build_ffi.py"))
    sources = [str(ROOT / "csrc" / name) for name in core["SOURCES"]]
    own = str(Path(__file__).with_suffix(".c"))
    compiler = shlex.split(os.environ.get("CC", "cc"))
    include = f"-I{ROOT / 'csrc'}"
    subprocess.run(
        [*compiler, *core["COMPILE_ARGS"], include, *sources, own, "-o", program], check=True
    )
    return program


def epilogues(program: str) -> list[str]:
    """Print the vectorised epilogues; return those that run here."""
    listed = subprocess.run([program, "kernels"], check=True, stderr=subprocess.PIPE, text=True)
    kernels = [line.split() for line in listed.stderr.splitlines()]
    for name, verb, *features in kernels:
        if verb == "lacks":
            print(f"NOT compared: {name}; this CPU lacks {' '.join(features)}")
    running = [name for name, verb, *_ in kernels if verb == "runs"]
    print(f"vectorised epilogues compared with requant.c: {', '.join(running) or 'NONE'}")
    return running


def run(program: str, case: Case, count: int) -> Outcome:
    """Run one case in this process and one child."""
    start = time.perf_counter()
    mode = "print" if case.judged else "compare"
    with subprocess.Popen(
        [program, mode, *case.arguments(count)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        judged, difference = judge(child.stdout, case, count) if case.judged else (0, "")
        if difference:
            child.kill()
        reported = child.communicate()[1].decode()
    compared = {"requant.c = NumPy": judged} if judged else {}
    if child.returncode == 0:
        for line in reported.splitlines():
            name, results = line.split()
            compared[f"{name} = requant.c"] = int(results)
        if case.judged and judged != count and not difference:
            difference = f"only {judged} results were printed"
    elif not difference:
        difference = reported or f"the program ended with {child.returncode}"
    return Outcome(case, compared, difference, time.perf_counter() - start)


def judge(results: IO[bytes], case: Case, count: int) -> tuple[int, str]:
    """Compare a stream of int8 with NumPy; how many agreed, and the first that does not."""
    requant, channels = case.requant(), case.channels
    # Modulo 2^32, as the accumulators.
    steps = np.arange(CHUNK // channels * channels, dtype=np.uint32).reshape(-1, channels)
    start = np.array(case.biases or (0,)) + case.first(count)
    np.empty(2**21)  # freed at once: from now on glibc keeps memory of that size for temporaries
    for done in range(0, count, steps.size):
        n = min(steps.size, count - done)
        given = np.frombuffer(results.read(n), np.int8)
        if len(given) != n:
            return done, ""  # the program says why
        acc = (steps + ((start + done) % 2**32).astype(np.uint32)).view(np.int32)
        expected = requant.apply(acc).ravel()[:n]
        if not np.array_equal(given, expected):
            i = int(np.argmax(given != expected))
            return done, (
                f"first difference at accumulator {acc.flat[i]} (bias included): "
                f"NumPy gives {expected[i]}, requant.c gives {given[i]}\n"
                f"constants {case.constants[i % len(case.constants)]}, channel {i % channels}"
            )
    return count, ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="all pairs of constants: an hour")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose line has this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--accumulators", type=int, default=2**32, help="that many around 0 instead of all 2^32"
    )
    options = parser.parse_args()
    start = time.perf_counter()
    usual = [case for rule in FIXED_POINT for case in fixed_point_cases(rule)] + float_cases()
    cases = more_cases(usual) if options.full else usual
    cases = [case for case in cases if options.only in str(case)]
    if not cases:
        parser.error(f"no case has {options.only!r} in its line")
    # An odd number of channels: each meets accumulators of every remainder modulo powers of two.
    assert all(case.channels % 2 for case in cases)
    outcomes = []
    with tempfile.TemporaryDirectory() as directory:
        program = build(directory)
        if not epilogues(program):
            cases = [case for case in cases if case.judged]
        cases.sort(key=lambda case: not case.judged)  # the longest first
        with ProcessPoolExecutor(options.jobs) as pool:
            futures = [pool.submit(run, program, case, options.accumulators) for case in cases]
            for future in as_completed(futures):
                outcomes.append(future.result())
                show(outcomes[-1], len(outcomes), len(cases))
    return conclude(outcomes, options.jobs, time.perf_counter() - start)


def show(outcome: Outcome, number: int, cases: int) -> None:
    """Print the line of a case."""
    verdict = "DIFFERS" if outcome.difference else "equal"
    judges = " (NumPy, too)" if outcome.case.judged else ""
    print(f"{number:3}/{cases} {verdict:7} {outcome.seconds:5.1f} s  {outcome.case}{judges}")
    for line in outcome.difference.splitlines():
        print(f"        {line}")
    sys.stdout.flush()


def conclude(outcomes: list[Outcome], jobs: int, seconds: float) -> int:
    """Print the table and the total; return the exit status."""
    cases: Counter[tuple[str, str]] = Counter()
    results: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes:
        for pair, compared in outcome.compared.items():
            cases[outcome.case.rule, pair] += 1
            results[outcome.case.rule, pair] += compared
    print(f"\n{'rule':16} {'equal':20} {'cases':>5} {'results':>15}")
    for rule, pair in sorted(cases):
        print(f"{rule:16} {pair:20} {cases[rule, pair]:5} {results[rule, pair]:15,}")
    times = os.times()  # compiling included; on a busy machine more telling than the seconds
    cpu = times.user + times.system + times.children_user + times.children_system
    different = sum(bool(outcome.difference) for outcome in outcomes)
    print(
        f"{len(outcomes)} cases, {sum(results.values()):,} results compared, "
        f"{different} cases differ; {seconds:.0f} s in {jobs} processes, {cpu:.0f} s of CPU"
    )
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
