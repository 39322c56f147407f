"""Can a network saturate a runtime's pair sums? Layer by layer: a certificate, or an input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from kdq_ref.infer import IntGraph
from kdq_ref.verify.dialect import Dialect
from kdq_ref.verify.network import Network, Node, store
from kdq_ref.verify.proofs.input_search import Search, network_witness, saturation_changes
from kdq_ref.verify.proofs.layer_witness import layer_witness
from kdq_ref.verify.proofs.pair_sums import (
    AFFINE,
    INT16_MAX,
    INT16_MIN,
    PAIRED,
    PairBounds,
    group_count,
    grouped_weights,
    layer_of,
    operand_ranges,
    pair_bounds,
    prefix,
    runtime_codes,
)
from kdq_ref.verify.proofs.pair_trace import PairSum, first_saturated

CERTIFIED, NETWORK, LAYER, OPEN = "certified", "network witness", "layer witness", "open"
"""No input saturates; an input of the network does; codes of the layer do; neither is known."""

Report = Callable[[str], None]
"""Called with a layer's name before it is looked at."""


@dataclass(frozen=True, eq=False)
class Finding:
    """What is known of one layer on one runtime.

    Attributes
    ----------
    layer : str
    verdict : str
        :data:`CERTIFIED`, :data:`NETWORK`, :data:`LAYER` or :data:`OPEN`.
    reason : str
    lowest, highest : int
        Bounds of its pair sums; 0 where its kernel makes none.
    suspects : int
        How many pair sums may leave int16.
    witness : (1, ...) ndarray or None
        int8 codes of the network's input, or uint8 codes of the layer's.
    changed : int
        How many codes of the layer the saturation changes.
    pair : PairSum or None
        The pair behind the first one.
    """

    layer: str
    verdict: str
    reason: str
    lowest: int
    highest: int
    suspects: int
    witness: np.ndarray | None = None
    changed: int = 0
    pair: PairSum | None = None


def find(
    graph: IntGraph,
    network: Network,
    dialect: Dialect,
    images: np.ndarray | None = None,
    search: Search | None = None,
    report: Report | None = None,
) -> Iterator[Finding]:
    """Decide every dense layer and convolution.

    Parameters
    ----------
    graph : IntGraph
    network : Network
        Of :func:`~kdq_ref.verify.int_network.network_of`.
    dialect : Dialect
        One of :data:`~kdq_ref.verify.proofs.pair_sums.PAIRED`.
    images : (B, *input_shape) int8 ndarray or None
        Codes that the search starts from.
    search : Search, optional
    report : callable, optional

    Yields
    ------
    Finding
    """
    stored = network.stored_as(dialect.storage)
    codes = runtime_codes(stored, dialect.name)
    for node in stored.nodes:
        if node.operator not in AFFINE:
            continue
        if report is not None:
            report(node.name)
        if not PAIRED[dialect.name](stored, node, group_count(stored, node)):
            yield Finding(node.name, CERTIFIED, "its kernel makes no pair sums", 0, 0, 0)
            continue
        source = codes[node.inputs[0]]
        bounds = pair_bounds(grouped_weights(stored, node), operand_ranges(stored, node, source))
        if bounds.certified:
            yield _finding(node, bounds, CERTIFIED, "no pair sum can leave int16")
            continue
        yield _witnessed(graph, stored, node, bounds, source, dialect, images, search or Search())


def _finding(
    node: Node,
    bounds: PairBounds,
    verdict: str,
    reason: str,
    witness: np.ndarray | None = None,
    changed: int = 0,
    pair: PairSum | None = None,
) -> Finding:
    low, high = int(bounds.lows.min(initial=0)), int(bounds.highs.max(initial=0))
    return Finding(node.name, verdict, reason, low, high, bounds.suspects, witness, changed, pair)


def _witnessed(
    graph: IntGraph,
    network: Network,
    node: Node,
    bounds: PairBounds,
    source: np.ndarray,
    dialect: Dialect,
    images: np.ndarray | None,
    search: Search,
) -> Finding:
    layer, value = layer_of(network, node), node.inputs[0]
    own = layer_witness(layer, source, dialect)
    if own is not None and value in network.inputs:
        reached: np.ndarray | None = store(own, "int8")
    else:
        reached = network_witness(graph, network, node, bounds, dialect, images, search)
    if reached is not None:
        (name,) = network.inputs
        before = prefix(network, value)
        codes = dialect.run(before, {name: store(reached, "uint8")})[value]
        reason = "an input of the network saturates it"
        return _explained(layer, node, bounds, NETWORK, reason, dialect, reached, codes)
    if own is not None:
        reason = f"codes that {value} may have saturate it; no input was found that makes them"
        return _explained(layer, node, bounds, LAYER, reason, dialect, own, own)
    reason = (
        f"{bounds.suspects} pair sums may leave [{INT16_MIN}, {INT16_MAX}]; nothing was found "
        f"that changes a code"
    )
    return _finding(node, bounds, OPEN, reason)


def _explained(
    layer: Network,
    node: Node,
    bounds: PairBounds,
    verdict: str,
    reason: str,
    dialect: Dialect,
    witness: np.ndarray,
    codes: np.ndarray,
) -> Finding:
    differs = saturation_changes(layer, dialect, codes)
    place = tuple(int(axis[0]) for axis in np.nonzero(differs))
    pair = first_saturated(layer, node, codes, place)
    return _finding(node, bounds, verdict, reason, witness, int(differs.sum()), pair)
