"""What the runtime says to a finding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from strategies.dialects import installed
from strategies.int_networks import scaled_network

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialect import Dialect
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.int_network import network_of
from kdq_ref.verify.network import Network, store
from kdq_ref.verify.proofs.confirmation import Confirmation, confirm
from kdq_ref.verify.proofs.input_search import Search
from kdq_ref.verify.proofs.pair_sums import PAIRED, runtime_codes
from kdq_ref.verify.proofs.saturation import CERTIFIED, LAYER, NETWORK, OPEN, Finding, find

_DIALECT = get_dialect("onnxruntime-avx2-default")


class _Runtime:
    """A runtime that computes what a dialect does."""

    name = package = "pretended"

    def __init__(self, dialect: str, version: str | None = "1.0") -> None:
        self._dialect, self._version = get_dialect(dialect), version

    def version(self) -> str | None:
        return self._version

    def run(self, network: Network, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return self._dialect.run(network, inputs)


def _findings(
    seed: int, divisor: int = 1, dialect: Dialect = _DIALECT
) -> tuple[Network, list[Finding]]:
    graph = scaled_network(seed, divisor=divisor)
    network = network_of(graph)
    return network, list(find(graph, network, dialect, None, Search(rounds=3)))


def _ask(
    network: Network, finding: Finding, oracle: object, dialect: Dialect = _DIALECT
) -> Confirmation:
    node = next(node for node in network.nodes if node.name == finding.layer)
    codes = runtime_codes(network.stored_as("uint8"), dialect.name)[node.inputs[0]]
    return confirm(finding, network, dialect, oracle, codes)


@pytest.mark.parametrize("name", sorted(PAIRED))
@pytest.mark.parametrize("divisor", [1, 4])
@pytest.mark.parametrize("seed", range(3))
def test_the_runtime_bears_out_every_finding(name: str, seed: int, divisor: int) -> None:
    """Each runtime saturates where there is a witness, and nowhere else."""
    dialect = get_dialect(name)
    oracle = installed(dialect.runtime)
    network, findings = _findings(seed, divisor, dialect)
    for finding in findings:
        answer = _ask(network, finding, oracle, dialect)
        assert answer.agrees is (None if finding.verdict == OPEN else True), answer
        assert answer.differing == finding.changed


@pytest.mark.parametrize("seed", range(3))
def test_a_witness_tells_the_default_mode_from_the_exact_one(seed: int) -> None:
    """The same model and input in two modes of ONNX Runtime; certified networks do not differ."""
    default, exact = installed("onnxruntime"), installed("onnxruntime-exact")
    network, findings = _findings(seed)
    stored = network.stored_as("uint8")
    first = next(f for f in findings if f.verdict == NETWORK)
    x = {"input": store(first.witness, "uint8")}
    ours, theirs = (oracle.run(stored, x)[first.layer] for oracle in (default, exact))
    assert (ours != theirs).any()
    network, findings = _findings(seed, divisor=4)
    assert {f.verdict for f in findings} == {CERTIFIED}
    stored = network.stored_as("uint8")
    rng = np.random.default_rng(seed)
    for codes in (rng.integers(0, 256, (64, 6, 5, 3)), rng.choice([0, 255], (64, 6, 5, 3))):
        inputs = {"input": codes.astype(np.uint8)}
        answers = [oracle.run(stored, inputs) for oracle in (default, exact)]
        assert all((answers[0][name] == answers[1][name]).all() for name in answers[0])


def test_a_runtime_that_saturates_behind_a_certificate_contradicts_it() -> None:
    """A layer that was wrongly called certified is found out."""
    network, findings = _findings(0)
    wrong = replace(findings[0], verdict=CERTIFIED, witness=None, changed=0)
    answer = _ask(network, wrong, _Runtime(_DIALECT.name))
    assert answer.agrees is False
    assert answer.differing > 0


def test_a_runtime_that_is_exact_here_is_not_called_wrong() -> None:
    """A processor with another instruction: the witness shows nothing, and that is said."""
    network, findings = _findings(0)
    answer = _ask(network, findings[0], _Runtime("onnxruntime"))
    assert answer.agrees is None
    assert "does not saturate" in answer.note


def test_another_count_of_changes_contradicts_the_witness() -> None:
    """The number of codes is part of what is claimed."""
    network, findings = _findings(0)
    off = replace(findings[0], changed=findings[0].changed + 1)
    assert _ask(network, findings[0], _Runtime(_DIALECT.name)).agrees is True
    assert _ask(network, off, _Runtime(_DIALECT.name)).agrees is False


def test_a_layer_witness_is_run_on_the_layer() -> None:
    """Its codes are those of the layer's input."""
    network, findings = _findings(0)
    own = replace(findings[0], verdict=LAYER, witness=store(findings[0].witness, "uint8"))
    assert _ask(network, own, _Runtime(_DIALECT.name)).agrees is True


def test_what_cannot_be_asked_is_said() -> None:
    """Not installed; refused; nothing to run."""
    network, findings = _findings(0)
    missing = _ask(network, findings[0], _Runtime(_DIALECT.name, None))
    assert (missing.agrees, missing.note) == (None, "pretended is not installed")
    opened = _ask(network, replace(findings[0], verdict=OPEN), _Runtime(_DIALECT.name))
    assert (opened.agrees, opened.outputs) == (None, 0)

    class Refusing(_Runtime):
        def run(self, network: Network, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            raise UnsupportedError("no such operator")

    assert _ask(network, findings[0], Refusing(_DIALECT.name)).note == "no such operator"
