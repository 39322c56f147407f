"""Requantization alone: nanoseconds per element for every rule, shape and instruction set."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from bench.report import Line, Options, machine, progress
from bench.timing import interleave
from kdq_ref import intref, kernels
from kdq_ref.rounding import RULES, RULES_16X8, Requant, Requant16x8

SHAPES = ((1, 10), (64, 64), (100, 127), (784, 32), (256, 1000))
"""Accumulators (rows, channels): a head, layers of students, a large product."""


def problem(rule: str, rows: int, channels: int) -> tuple[np.ndarray, Requant | Requant16x8]:
    """Accumulators : (rows, channels) whose results fill int8, or int16, and their constants."""
    rng = np.random.default_rng([rows, channels])
    acc = rng.normal(0, 200_000, (rows, channels)).astype(np.int32)
    scales = rng.uniform(1e-3, 3e-3, channels)
    if rule in RULES_16X8:
        constants = RULES_16X8[rule].constants(5.0, scales, 0.2)
        return acc.astype(np.int64), Requant16x8(constants, rule=RULES_16X8[rule])
    return acc, Requant(RULES[rule], RULES[rule].constants(0.02, scales, 0.2), -5)


def lines(options: Options) -> Iterator[Line]:
    """Yield a line for each rule, shape and instruction set; the peer is the NumPy definition."""
    isas = (options.isa,) if options.isa else kernels.available_isas()
    shapes = SHAPES[1:2] if options.quick else SHAPES
    for rule in (*RULES, *RULES_16X8):
        for rows, channels in shapes:
            progress(f"requant: {rule}, {rows}x{channels}")
            acc, requant = problem(rule, rows, channels)
            to_int16 = rule in RULES_16X8
            specified = intref.requantize_16x8 if to_int16 else intref.requantize
            compiled = kernels.requantize_16x8 if to_int16 else kernels.requantize
            expected = specified(acc, requant)
            definition = functools.partial(specified, acc, requant)
            calls = [functools.partial(compiled, acc, requant, isa=isa) for isa in isas]
            *own, peer = interleave([*calls, definition], options.protocol())
            for isa, call, times in zip(isas, calls, own, strict=True):
                yield {
                    "subject": "requant",
                    "group": f"{rule}, {isa}",
                    "case": f"{rows}x{channels}",
                    "peer": "intref",
                    "threads": 1,
                    "isa": isa,
                    "rule": rule,
                    "ours_s": times.best,
                    "peer_s": peer.best,
                    "ratio": peer.best / times.best,
                    "ratio_median": peer.median / times.median,
                    "ns_per_element": times.best / acc.size * 1e9,
                    "exact_ours": bool(np.array_equal(call(), expected)),
                    "exact_peer": True,
                    **machine(),
                }
