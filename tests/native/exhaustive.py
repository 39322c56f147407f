"""Requantization over all 2^32 accumulators: vectorised epilogues, requant.c and NumPy agree.

``make exhaustive`` compiles the C core and ``exhaustive*.c`` and runs the cases of
``exhaustive_cases.py``, one per process. Each compares every vectorised epilogue that this CPU can
run with ``csrc/requant.c``. ``requant.c`` is compared with :mod:`kdq_ref.rounding`: in some cases
of every rule one accumulator after the other, in the others of a single constant (without biases
and upper halves) by the ends of intervals on which NumPy is constant, its rules being monotone but
for the overflow of ``fbgemm`` (seconds instead of minutes). Exit status 1 if anything differs.

For another CPU: ``CC="... -static" ... exhaustive.py --under qemu-aarch64-static``, with a
compiler for it.
"""

from __future__ import annotations

import argparse
import os
import runpy
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from exhaustive_cases import Case, more_cases, usual_cases

from kdq_ref.rounding.difference import constant_intervals

ROOT = Path(__file__).resolve().parents[2]
CHUNK = 2**16  # accumulators that NumPy takes at a time: its temporaries stay in the cache
LONG_CHUNK = 2**20  # where it does not compute each


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
    own = map(str, sorted(Path(__file__).parent.glob("exhaustive*.c")))
    compiler = shlex.split(os.environ.get("CC", "cc"))
    include = f"-I{ROOT / 'csrc'}"
    subprocess.run(
        [*compiler, *core["COMPILE_ARGS"], include, *sources, *own, "-o", program], check=True
    )
    return program


def epilogues(program: list[str]) -> list[str]:
    """Print the vectorised epilogues; return those that run here."""
    listed = subprocess.run([*program, "kernels"], check=True, stderr=subprocess.PIPE, text=True)
    kernels = [line.split() for line in listed.stderr.splitlines()]
    for name, verb, *features in kernels:
        if verb == "lacks":
            print(f"NOT compared: {name}; this CPU lacks {' '.join(features)}")
    running = [name for name, verb, *_ in kernels if verb == "runs"]
    print(f"vectorised epilogues compared with requant.c: {', '.join(running) or 'NONE'}")
    return running


def run(program: list[str], case: Case, count: int) -> Outcome:
    """Run one case in this process and one child."""
    start = time.perf_counter()
    judge = one_by_one if case.judged else by_intervals if case.judged_by_intervals else None
    mode = "print" if judge else "compare"
    with subprocess.Popen(
        [*program, mode, *case.arguments(count)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        judged, difference = judge(child.stdout, case, count) if judge else (0, "")
        if difference:
            child.kill()
        reported = child.communicate()[1].decode()
    judges = "NumPy" if case.judged else "NumPy's intervals"
    compared = {f"requant.c = {judges}": judged} if judged else {}
    if child.returncode == 0:
        for line in reported.splitlines():
            name, results = line.split()
            compared[f"{name} = requant.c"] = int(results)
        if judge and judged != count and not difference:
            difference = f"only {judged} results were printed"
    elif not difference:
        difference = reported or f"the program ended with {child.returncode}"
    return Outcome(case, compared, difference, time.perf_counter() - start)


def one_by_one(results: IO[bytes], case: Case, count: int) -> tuple[int, str]:
    """Compare a stream of codes with NumPy; how many agreed, and the first that does not."""
    requant, channels, dtype = case.requant(), case.channels, case.dtype
    # Modulo 2^32, as the accumulators.
    steps = np.arange(CHUNK // channels * channels, dtype=np.uint32).reshape(-1, channels)
    start = np.array(case.biases or (0,)) + case.first(count)
    np.empty(2**21)  # freed at once: from now on glibc keeps memory of that size for temporaries
    for done in range(0, count, steps.size):
        n = min(steps.size, count - done)
        given = np.frombuffer(results.read(n * dtype.itemsize), dtype)
        if len(given) != n:
            return done, ""  # the program says why
        sums = (steps + ((start + done) % 2**32).astype(np.uint32)).view(np.int32)
        acc = case.accumulators(sums)
        expected = requant.apply(acc).ravel()[:n]
        if not np.array_equal(given, expected):
            i = int(np.argmax(given != expected))
            return done, disagreement(case, int(acc.flat[i]), expected[i], given[i], i % channels)
    return count, ""


def by_intervals(results: IO[bytes], case: Case, count: int) -> tuple[int, str]:
    """The same for one constant: NumPy computes the ends of intervals on which it is constant."""
    starts, lengths, codes = constant_intervals([case.requant()])
    order = np.argsort(starts)
    ends, codes = (starts + lengths)[order], codes[0, order]
    first, dtype = -(count // 2), case.dtype
    for done in range(0, count, LONG_CHUNK):
        n = min(LONG_CHUNK, count - done)
        given = np.frombuffer(results.read(n * dtype.itemsize), dtype)
        if len(given) != n:
            return done, ""  # the program says why
        acc = first + done
        low, high = np.searchsorted(ends, [acc, acc + n - 1], side="right")
        inside = np.minimum(ends[low : high + 1], acc + n)
        expected = np.repeat(codes[low : high + 1], np.diff(inside, prepend=acc))
        if not np.array_equal(given, expected):
            i = int(np.argmax(given != expected))
            return done, disagreement(case, acc + i, expected[i], given[i], 0)
    return count, ""


def disagreement(case: Case, acc: int, expected: int, given: int, channel: int) -> str:
    """Say where C and NumPy part."""
    return (
        f"first difference at accumulator {acc} (bias included): "
        f"NumPy gives {expected}, requant.c gives {given}\n"
        f"constants {case.constants[channel % len(case.constants)]}, channel {channel}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="all pairs of constants: hours")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose line has this")
    parser.add_argument("--under", default="", metavar="COMMAND", help="emulator of another CPU")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--accumulators", type=int, default=2**32, help="that many around 0 instead of all 2^32"
    )
    options = parser.parse_args()
    start = time.perf_counter()
    cases = more_cases(usual_cases()) if options.full else usual_cases()
    cases = [case for case in cases if options.only in str(case)]
    if not cases:
        parser.error(f"no case has {options.only!r} in its line")
    # An odd number of channels: each meets accumulators of every remainder modulo powers of two.
    assert all(case.channels % 2 for case in cases)
    outcomes = []
    with tempfile.TemporaryDirectory() as directory:
        program = [*shlex.split(options.under), build(directory)]
        if not epilogues(program):
            cases = [case for case in cases if case.judged or case.judged_by_intervals]
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
    by = "one by one" if outcome.case.judged else "by intervals"
    judges = f" (NumPy {by})" if outcome.case.judged or outcome.case.judged_by_intervals else ""
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
    print(f"\n{'rule':23} {'equal':31} {'cases':>5} {'results':>15}")
    for rule, pair in sorted(cases):
        print(f"{rule:23} {pair:31} {cases[rule, pair]:5} {results[rule, pair]:15,}")
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
