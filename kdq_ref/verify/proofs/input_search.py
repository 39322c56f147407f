"""An input of a whole network that saturates a pair sum of a layer deep inside.

Candidates are images, inputs of extremes, and what a hill-climb makes of the best of them: it
changes random rectangles and keeps what brings a pair sum nearer to int16's end, or farther beyond
it. The engine computes what reaches the layer; the saturating dialect has the last word.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kdq_ref.infer import Engine, IntGraph
from kdq_ref.verify.accumulators import accumulate
from kdq_ref.verify.dialect import Dialect
from kdq_ref.verify.network import Network, Node, store
from kdq_ref.verify.proofs.exact_twin import exact_twin, twin_input
from kdq_ref.verify.proofs.pair_sums import (
    INT16_MAX,
    INT16_MIN,
    PairBounds,
    grouped_weights,
    layer_of,
    prefix,
)

_POPULATION = 64
_VERIFIED = 8
"""How many of the best candidates the dialect is asked about."""

Margins = Callable[[np.ndarray], np.ndarray]
"""(B, ...) uint8 inputs of a layer to the largest overshoot of a pair sum of each : (B,)."""


@dataclass(frozen=True)
class Search:
    """How hard to look.

    Attributes
    ----------
    seed : int
    rounds : int
        Of the hill-climb, 64 candidates each.
    """

    seed: int = 0
    rounds: int = 100


def network_witness(
    graph: IntGraph,
    network: Network,
    node: Node,
    bounds: PairBounds,
    dialect: Dialect,
    images: np.ndarray | None,
    search: Search,
) -> np.ndarray | None:
    """Find an input of the network that saturates a layer, and changes what it computes.

    Parameters
    ----------
    graph : IntGraph
    network : Network
        The same, stored in uint8.
    node : Node
        A dense layer or a convolution.
    bounds : PairBounds
        Of its pair sums.
    dialect : Dialect
        One that saturates.
    images : (B, *input_shape) int8 ndarray or None
        Codes to start from.
    search : Search

    Returns
    -------
    (1, *input_shape) int8 ndarray or None
    """
    rng = np.random.default_rng([search.seed, [n.name for n in network.nodes].index(node.name)])
    (source,) = node.inputs
    names = [n.name for n in graph.nodes]
    before = graph.nodes[: names.index(source) + 1] if source in names else ()
    engine = Engine(replace(graph, nodes=before, output=source)) if before else None
    measure = overshoot(layer_of(network, node), node, bounds)

    def margins(x: np.ndarray) -> np.ndarray:
        return measure(store(engine.run(x) if engine else x, "uint8"))

    pool = starts(graph.input_shape, images, rng)
    scores = np.concatenate(
        [margins(pool[i : i + _POPULATION]) for i in range(0, len(pool), _POPULATION)]
    )
    for _ in range(search.rounds):
        order = np.argsort(-scores, kind="stable")[:_POPULATION]
        pool, scores = pool[order], scores[order]
        found = _verified(network, node, dialect, pool[:_VERIFIED][scores[:_VERIFIED] > 0])
        if found is not None:
            return found
        changed = _changed(pool, rng)
        pool = np.concatenate([pool, changed])
        scores = np.concatenate([scores, margins(changed)])
    return _verified(network, node, dialect, pool[np.argsort(-scores, kind="stable")[:_VERIFIED]])


def starts(
    shape: tuple[int, ...], images: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    """Inputs to begin with : (B, *shape) int8: images, constants, noise, noise of extremes."""
    constants = [np.full((1, *shape), code, np.int8) for code in (-128, 0, 127)]
    noise = rng.integers(-128, 128, (16, *shape)).astype(np.int8)
    extremes = rng.choice(np.array([-128, 127], np.int8), (16, *shape))
    given = [] if images is None else [images]
    return np.concatenate([*given, *constants, noise, extremes])


def _changed(pool: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One offspring of a random member for each place of the population."""
    # Better ones, which come first, more often.
    parents = (len(pool) * rng.random(_POPULATION) ** 2).astype(np.int64)
    changed = pool[parents].copy()
    for x in changed:
        box = tuple(_span(size, rng) for size in x.shape)
        kind = rng.integers(3)
        if kind == 0:
            x[box] = rng.choice(np.array([-128, 127], np.int8))
        elif kind == 1:
            x[box] = rng.choice(np.array([-128, 127], np.int8), x[box].shape)
        else:
            x[box] = pool[rng.integers(len(pool))][box]
    return changed


def _span(size: int, rng: np.random.Generator) -> slice:
    length = 1 + int((size - 1) * rng.random() ** 2)
    first = int(rng.integers(size - length + 1))
    return slice(first, first + length)


def _verified(network: Network, node: Node, dialect: Dialect, x: np.ndarray) -> np.ndarray | None:
    """The first input that changes a code of the layer in the dialect, if one does."""
    if not len(x):
        return None
    (source,) = node.inputs
    (name,) = network.inputs
    codes = dialect.run(prefix(network, source), {name: store(x, "uint8")})[source]
    differs = saturation_changes(layer_of(network, node), dialect, codes)
    places = np.flatnonzero(differs.reshape(len(x), -1).any(axis=1))
    return x[places[0]][None] if len(places) else None


def saturation_changes(layer: Network, dialect: Dialect, codes: np.ndarray) -> np.ndarray:
    """Where saturation changes a layer's codes : bool ndarray of the output's shape.

    Parameters
    ----------
    layer : Network
        One dense layer or convolution, stored in uint8.
    dialect : Dialect
        One that saturates.
    codes : (B, ...) uint8 ndarray
    """
    (node,), (name,) = layer.nodes, layer.inputs
    saturated = dialect.run(layer, {name: codes})[node.name]
    exact = dialect.run(exact_twin(layer), {name: twin_input(codes)})[node.name]
    differs: np.ndarray = saturated != exact
    return differs


def overshoot(layer: Network, node: Node, bounds: PairBounds) -> Margins:
    """Return what measures how far the pair sums of a layer's input go beyond int16.

    Only pairs whose bounds leave int16 are looked at, and of their weights only those that no other
    exceeds in both: codes are not negative, so the largest sum is one of theirs. Negative where
    every sum fits.
    """
    weights = grouped_weights(layer, node)
    groups, depth, outputs = weights.shape
    even = np.pad(weights, ((0, 0), (0, depth % 2), (0, 0)))
    targets = []
    for sign, beyond in ((1, bounds.highs > INT16_MAX), (-1, bounds.lows < INT16_MIN)):
        limit = INT16_MAX if sign > 0 else -INT16_MIN
        for g, p in zip(*np.nonzero(beyond.any(axis=2)), strict=True):
            pairs = sign * even[g, 2 * p : 2 * p + 2, beyond[g, p]]
            targets.append((int(g), int(p), _front(pairs).T.astype(np.float32), limit))

    def measure(x: np.ndarray) -> np.ndarray:
        best: list[np.ndarray] = []

        def product(columns: np.ndarray, _: np.ndarray, zero_point: int) -> np.ndarray:
            rows = columns.shape[1]
            largest = np.full(rows, -np.inf, np.float32)
            operands = np.pad(columns, ((0, 0), (0, 0), (0, depth % 2))).astype(np.float32)
            for g, p, front, limit in targets:
                sums = operands[g, :, 2 * p : 2 * p + 2] @ front
                np.maximum(largest, sums.max(axis=1) - limit, out=largest)
            best.append(largest)
            return np.zeros((groups, rows, outputs), np.int64)

        accumulate(layer, node, x, product)
        return best[0].reshape(len(x), -1).max(axis=1)

    return measure


def _front(pairs: np.ndarray) -> np.ndarray:
    """Those of (N, 2) pairs that no other one exceeds in both."""
    order = np.lexsort((-pairs[:, 1], -pairs[:, 0]))
    ordered = pairs[order]
    before = np.concatenate([[np.iinfo(np.int64).min], np.maximum.accumulate(ordered[:, 1])[:-1]])
    return np.asarray(ordered[ordered[:, 1] > before])
