"""Whole int8 networks beside the peers, and our threads beside our single thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench.cases import network_cases, scaling_cases
from bench.comparison import compare, measure, select, through_engine
from bench.models import Problem, build
from bench.peers import Runner
from bench.report import Line, Options, progress


class SingleThread:
    """Ourselves, as a peer of ourselves."""

    name = "kdq_ref, 1 thread"
    version = ""

    def __init__(self, options: Options) -> None:
        self._options = replace(options, threads=1)

    def prepare(self, problem: Problem, threads: int) -> Runner:
        """Prepare an engine of one thread, whatever `threads` says."""
        return Runner(through_engine(problem, self._options).call, note="us, one thread")


def lines(options: Options) -> Iterator[Line]:
    """Compare with the peers; with more than one thread with one thread of ours, too."""
    yield from compare("network", network_cases(), options, through_engine)
    if options.threads == 1:
        progress("how threads scale is measured with --threads 2 (or more)")
        return
    for case in select(scaling_cases(), options):
        progress(f"network: {case.group}, {case.name}")
        problem = build(case, options.rule)
        alone = [SingleThread(options)]
        yield from measure("network", problem, through_engine(problem, options), alone, options)
