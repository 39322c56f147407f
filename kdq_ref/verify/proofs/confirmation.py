"""The runtime itself, asked about a finding: does it saturate where that is claimed?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialect import Dialect
from kdq_ref.verify.network import Network, store
from kdq_ref.verify.oracle import Oracle
from kdq_ref.verify.proofs.exact_twin import exact_twin, twin_input
from kdq_ref.verify.proofs.pair_sums import layer_of, prefix
from kdq_ref.verify.proofs.saturation import CERTIFIED, LAYER, NETWORK, Finding

_SAMPLES = 64
"""Random inputs of a certified layer, and as many of extremes only."""


@dataclass(frozen=True)
class Confirmation:
    """What a runtime said.

    Attributes
    ----------
    runtime : str
        Its name and version.
    agrees : bool or None
        Whether it bears the finding out; None if it could not be asked, or does not saturate here.
    outputs : int
        Codes that were compared.
    differing : int
        Codes in which the layer and its exact twin differ in the runtime.
    note : str
    """

    runtime: str
    agrees: bool | None
    outputs: int = 0
    differing: int = 0
    note: str = ""


def confirm(
    finding: Finding,
    network: Network,
    dialect: Dialect,
    oracle: Oracle,
    codes: np.ndarray,
    seed: int = 0,
) -> Confirmation:
    """Run a finding through the runtime.

    A witness must make the runtime compute what the saturating dialect says, in the whole network
    if it is one of the network, and differ from the layer's exact twin in as many codes. A
    certified layer must equal its twin on random and on extreme inputs. Where the runtime refuses
    the network the layer is run alone, and the note says so.

    Parameters
    ----------
    finding : Finding
    network : Network
    dialect : Dialect
    oracle : Oracle
        Of ``dialect.runtime``.
    codes : (C, 2) int64 ndarray
        Intervals of the layer's input, in uint8.
    seed : int
    """
    version = oracle.version()
    if version is None:
        return Confirmation(oracle.name, None, note=f"{oracle.package} is not installed")
    label = f"{oracle.package} {version}"
    stored = network.stored_as(dialect.storage)
    node = next(node for node in stored.nodes if node.name == finding.layer)
    layer = layer_of(stored, node)
    try:
        if finding.verdict == CERTIFIED:
            return _certified(label, layer, oracle, codes, seed)
        if finding.verdict in (NETWORK, LAYER):
            return _witness(label, finding, stored, layer, dialect, oracle)
    except UnsupportedError as fault:
        return Confirmation(label, None, note=str(fault))
    return Confirmation(label, None, note="there is nothing to run")


def _certified(
    label: str, layer: Network, oracle: Oracle, codes: np.ndarray, seed: int
) -> Confirmation:
    rng = np.random.default_rng([seed, 2])
    ((name, shape),) = layer.shapes.items()
    low, high = codes.T
    mixed = rng.integers(low, high + 1, (_SAMPLES, *shape))
    ends = np.where(rng.random((_SAMPLES, *shape)) < 0.5, low, high)
    bounds = [np.broadcast_to(end, (1, *shape)) for end in (low, high)]
    x = np.concatenate([mixed, ends, *bounds]).astype(np.uint8)
    answer = oracle.run(layer, {name: x})[layer.output]
    twin = oracle.run(exact_twin(layer), {name: twin_input(x)})[layer.output]
    differing = int((answer != twin).sum())
    return Confirmation(label, differing == 0, answer.size, differing)


def _witness(
    label: str,
    finding: Finding,
    network: Network,
    layer: Network,
    dialect: Dialect,
    oracle: Oracle,
) -> Confirmation:
    assert finding.witness is not None
    ((name, _),) = layer.shapes.items()
    codes, agrees, compared, note = finding.witness, True, 0, ""
    if finding.verdict == NETWORK:
        (source,) = network.inputs
        whole, inputs = prefix(network, finding.layer), {source: store(codes, "uint8")}
        expected = dialect.run(whole, inputs)
        try:
            answers = oracle.run(whole, inputs)
            agrees = all(np.array_equal(answers[value], expected[value]) for value in answers)
            compared = sum(answer.size for answer in answers.values())
        except UnsupportedError as fault:
            note = f"the layer alone, as the runtime refuses what comes before: {fault}"
        codes = expected[name]
    answer = oracle.run(layer, {name: codes})[layer.output]
    twin = oracle.run(exact_twin(layer), {name: twin_input(codes)})[layer.output]
    differing = int((answer != twin).sum())
    compared += answer.size
    if differing == 0:
        note = "this build does not saturate on this processor"
        return Confirmation(label, None, compared, 0, note)
    agrees = agrees and differing == finding.changed
    agrees = agrees and np.array_equal(answer, dialect.run(layer, {name: codes})[layer.output])
    return Confirmation(label, agrees, compared, differing, note)
