"""What was proven of a network, as it travels with it: JSON, and a digest of what it is about.

A certificate says what was found when it was made. Its digest shows that the network is still the
same one; it is no signature: whoever can write the file can write a certificate. ``kdq prove``
proves everything again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from kdq_ref import __version__
from kdq_ref.infer import IntGraph
from kdq_ref.infer.model_file import encode_model
from kdq_ref.verify.proofs.confirmation import Confirmation
from kdq_ref.verify.proofs.reach import Reach, inexact_in_float32
from kdq_ref.verify.proofs.requantizations import Checked
from kdq_ref.verify.proofs.saturation import NETWORK, Finding

KEY = "certificate"
"""Of the model's metadata."""

FORMAT = 1

VALID, STALE, UNREADABLE, ABSENT = "valid", "stale", "unreadable", "absent"


def digest(graph: IntGraph) -> str:
    """SHA-256 of what is proven: weights, biases, tables, constants, rule, scales, geometry.

    Metadata and the digest of the float network do not count.
    """
    tensors, manifest = encode_model(graph)
    proven = {k: v for k, v in manifest.items() if k not in ("metadata", "source_digest")}
    total = hashlib.sha256(json.dumps(proven, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name]
        little = array.astype(array.dtype.newbyteorder("<"))
        total.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        total.update(little.tobytes())
    return total.hexdigest()


def describe_accumulators(graph: IntGraph, found: Reach) -> list[dict[str, Any]]:
    """Reachable accumulators of every channel, and where float32 does not hold them all."""
    layers = []
    for name, interval in found.accumulators.items():
        inexact = inexact_in_float32(interval)
        layers.append(
            {
                "layer": name,
                "lowest": int(interval[:, 0].min()),
                "highest": int(interval[:, 1].max()),
                "channels": interval.tolist(),
                "codes": [int(found.codes[name].min()), int(found.codes[name].max())],
                "inexact_in_float32": [
                    {"channel": int(c), "interval": interval[c].tolist()} for c in inexact
                ],
            }
        )
    return layers


def describe_checked(checked: Checked) -> dict[str, Any]:
    """What was compared, and the first mismatches."""
    return {
        "isas": list(checked.isas),
        "accumulators": checked.accumulators,
        "channels": checked.channels,
        "distinct": checked.distinct,
        "mismatches": [vars(mismatch) for mismatch in checked.mismatches],
    }


def describe_finding(finding: Finding, confirmation: Confirmation) -> dict[str, Any]:
    """A layer on a runtime: verdict, numbers, witness, and what the runtime said."""
    entry: dict[str, Any] = {
        "layer": finding.layer,
        "verdict": finding.verdict,
        "reason": finding.reason,
        "pair_sums": [finding.lowest, finding.highest],
        "suspects": finding.suspects,
        "confirmed": confirmation.agrees,
        "runtime": confirmation.runtime,
        "outputs": confirmation.outputs,
        "differing": confirmation.differing,
        "note": confirmation.note,
    }
    if finding.witness is not None:
        codes = finding.witness[0]
        entry["witness"] = {
            "of": "the network's input" if finding.verdict == NETWORK else "the layer's input",
            "dtype": codes.dtype.name,
            "shape": list(codes.shape),
            "codes": codes.tobytes().hex(),
            "changed": finding.changed,
            "pair": None
            if finding.pair is None
            else vars(finding.pair) | {"text": str(finding.pair)},
        }
    return entry


def certify(
    graph: IntGraph,
    accumulators: list[dict[str, Any]],
    requantization: dict[str, Any],
    runtimes: dict[str, Any],
) -> dict[str, Any]:
    """Put the parts together (JSON-able)."""
    return {
        "format": FORMAT,
        "kdq_ref": __version__,
        "digest": digest(graph),
        "rule": graph.rule.name,
        "accumulators": accumulators,
        "requantization": requantization,
        "runtimes": runtimes,
    }


def attach(graph: IntGraph, certificate: dict[str, Any]) -> IntGraph:
    """Return the network with a certificate in its metadata, instead of one that it had."""
    # What JSON makes of it, so that a network and its file say the same.
    plain = json.loads(json.dumps(certificate))
    return replace(graph, metadata={**graph.metadata, KEY: plain})


def status(graph: IntGraph) -> str:
    """Whether the network's certificate is of this network.

    Returns
    -------
    str
        :data:`VALID`, :data:`STALE` (the network is another one now), :data:`UNREADABLE` or
        :data:`ABSENT`.
    """
    if KEY not in graph.metadata:
        return ABSENT
    certificate = graph.metadata[KEY]
    if not isinstance(certificate, dict) or certificate.get("format") != FORMAT:
        return UNREADABLE
    return VALID if certificate.get("digest") == digest(graph) else STALE
