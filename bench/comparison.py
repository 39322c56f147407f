"""One case after the other: is it equal to the specification, and then, how fast are all?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import roofline
from bench.cases import Case
from bench.models import Problem, build
from bench.peers import Peer, Runner, Unavailable, Unsupported, load
from bench.report import Line, Options, machine, progress
from bench.timing import Call, Times, interleave
from kdq_ref import infer, kernels


@dataclass(frozen=True)
class Ours:
    """Our side of a comparison.

    Attributes
    ----------
    call : callable
    out : (batch, *output_shape) int8 ndarray
        Filled by each call.
    isa : str
    threads : int
    through : str
        The class whose ``run`` is timed.
    """

    call: Call
    out: np.ndarray
    isa: str
    threads: int
    through: str


Prepare = Callable[[Problem, Options], Ours]


def through_plan(problem: Problem, options: Options) -> Ours:
    """Time a single operator as a plan; with more than one thread as an engine, which splits."""
    if options.threads > 1:
        return through_engine(problem, options)
    graph = problem.model.graph
    builder = kernels.PlanBuilder(
        input_shape=graph.input_shape,
        input_scale=graph.input_scale,
        input_zero_point=graph.input_zero_point,
    )
    (node,) = graph.nodes
    slot = getattr(builder, node.op.kind)(0, **node.op.keywords())
    plan = builder.build(output=slot, isa=options.isa)
    x = problem.codes
    out = np.empty((problem.batch, *graph.output_shape), np.int8)
    arena = np.empty(plan.arena_bytes, np.uint8)
    return Ours(plan.bind(x, out, arena), out, plan.isa, 1, "Plan")


def through_engine(problem: Problem, options: Options) -> Ours:
    """Time a network as the engine that runs it."""
    graph, x = problem.model.graph, problem.codes
    engine = infer.Engine(graph, isa=options.isa, threads=options.threads)
    out = np.empty((problem.batch, *graph.output_shape), np.int8)
    threads = engine.threads_for(problem.batch)
    return Ours(engine.bind(x, out), out, engine.isa, threads, "Engine")


def select(cases: Iterable[Case], options: Options) -> list[Case]:
    """The cases that were asked for; with ``quick`` the first of each group."""
    chosen = [case for case in cases if case.group in options.groups]
    if options.quick:
        chosen = list({case.group: case for case in reversed(chosen)}.values())[::-1]
    return chosen


def compare(subject: str, cases: Iterable[Case], options: Options, ours: Prepare) -> Iterator[Line]:
    """Yield a line for each case and peer, and one for each peer that cannot run at all."""
    peers: list[Peer] = []
    for name in options.peers:
        try:
            peers.append(load(name))
        except Unavailable as fault:
            progress(f"{name}: {fault}")
            yield {"subject": subject, "peer": name, "unavailable": str(fault), **machine()}
    chosen = select(cases, options)
    for number, case in enumerate(chosen, 1):
        progress(f"{subject} {number}/{len(chosen)}: {case.group}, {case.name}")
        problem = build(case, options.rule)
        yield from measure(subject, problem, ours(problem, options), peers, options)


def measure(
    subject: str, problem: Problem, ours: Ours, peers: Iterable[Peer], options: Options
) -> Iterator[Line]:
    """Check and time one problem."""
    ours.call()
    line: Line = {
        "subject": subject,
        "group": problem.group,
        "case": problem.name,
        "threads": options.threads,
        "ours_threads": ours.threads,
        "ours_through": ours.through,
        "isa": ours.isa,
        "rule": problem.model.graph.rule.name,
        "batch": problem.batch,
        "macs": problem.macs,
        "exact_ours": bool(np.array_equal(ours.out, problem.expected)),
        **machine(),
    }
    if not line["exact_ours"]:
        progress(f"WRONG: {problem.name} differs from the specification")
    prepared: list[tuple[Peer, Runner]] = []
    refused: list[Line] = []
    for peer in peers:
        try:
            prepared.append((peer, peer.prepare(problem, options.threads)))
        except Unsupported as fault:
            refused.append({"peer": peer.name, "ratio": None, "unsupported": str(fault)})
    peak = peak_loop(ours.isa)
    calls = [ours.call, *(runner.call for _, runner in prepared)]
    times = interleave(calls + ([peak[0]] if peak else []), options.protocol())
    line |= _seconds("ours", times[0]) | {"gmacs": problem.macs / times[0].best / 1e9}
    if peak:
        fastest = ours.threads * peak[1] / times[-1].best / 1e9
        line |= {"peak_gmacs": fastest, "fraction_of_peak": line["gmacs"] / fastest}
    if not prepared:
        yield {**line, "peer": None, "ratio": None}
    for (peer, runner), theirs in zip(prepared, times[1:], strict=False):
        yield {**line, **against(problem, times[0], theirs), **_identity(peer, runner, problem)}
    yield from ({**line, **reason} for reason in refused)


def against(problem: Problem, ours: Times, theirs: Times) -> Line:
    """Fields of a line that compare times."""
    return _seconds("peer", theirs) | {
        "ratio": theirs.best / ours.best,
        "ratio_median": theirs.median / ours.median,
        "peer_gmacs": problem.macs / theirs.best / 1e9,
    }


def peak_loop(isa: str) -> tuple[Call, int] | None:
    """The register loop of our kernel's mix and its MACs, to be timed beside it."""
    try:
        mix = roofline.mix_of(isa)
    except roofline.NoPeaks as fault:
        progress(f"no fraction of peak: {fault}")
        return None
    return None if mix is None else roofline.loop(mix)


def _seconds(who: str, times: Times) -> Line:
    return {f"{who}_s": times.best, f"{who}_median_s": times.median}


def _identity(peer: Peer, runner: Runner, problem: Problem) -> Line:
    """Fields of a line that say who the peer is and whether it was right."""
    fields: dict[str, Any] = {"peer": peer.name, "peer_version": peer.version}
    if runner.codes is None:
        fields["exact_peer"] = None
    else:
        # Rounding differs by a code or two, saturation by any number.
        distance = np.abs(runner.codes().astype(np.int16) - problem.expected_reference)
        mismatch = float(np.mean(distance != 0))
        fields |= {"exact_peer": mismatch == 0, "mismatch_peer": mismatch}
        fields["largest_difference_peer"] = int(distance.max())
    return fields | ({"note": runner.note} if runner.note else {})
