"""`kdq dialect`."""

from __future__ import annotations

import dataclasses

import pytest
from strategies.dialects import installed
from strategies.int_networks import scaled_network

from kdq_ref import infer
from kdq_ref.verify import dialects, oracles
from kdq_ref.verify.oracles.onnxruntime import OnnxRuntime
from kdq_ref.verify.samples import generate
from kdq_ref.verify.vector_file import Vectors, save_vectors


def test_list_names_every_dialect(invoke) -> None:
    """With its runtime and whether that is installed."""
    report = invoke("dialect", "list", "--json").json
    assert [row["name"] for row in report["dialects"]] == list(dialects.NAMES)
    printed = invoke("dialect", "list").stdout
    assert all(name in printed for name in dialects.NAMES)


@pytest.mark.parametrize("name", dialects.NAMES)
def test_show_explains_every_operator(invoke, name: str) -> None:
    """What it computes, or why it is not reproduced."""
    report = invoke("dialect", "show", name, "--json").json
    dialect = dialects.get_dialect(name)
    for operator, note in report["notes"].items():
        assert note
        assert note.startswith("not reproduced") == (operator not in dialect.operators)
    assert dialect.summary in invoke("dialect", "show", name).stdout


def test_check_compares(invoke) -> None:
    """The rows that were asked for, none differing: exit code 0."""
    installed("onnxruntime")
    arguments = ("--runtime", "onnxruntime", "--ops", "dense,add", "--samples", 2000)
    outcome = invoke("dialect", "check", *arguments, "--json")
    assert outcome.code == 0
    rows = outcome.json["rows"]
    names = {"onnxruntime", "onnxruntime-s8", "onnxruntime-avx2-default"}
    assert {(row["dialect"], row["operator"]) for row in rows} == {
        (name, operator) for name in names for operator in ("dense", "add")
    }
    assert all(row["outputs"] >= 2000 and row["holds"] for row in rows)
    assert "0 of 6 rows differ" in invoke("dialect", "check", *arguments).stdout


def test_check_fails_on_a_mismatch(invoke, monkeypatch) -> None:
    """A dialect that rounds another way: exit code 1, the row counted."""
    installed("onnxruntime")
    right = dialects.get_dialect("onnxruntime-s8")

    def off_by_one(network, node, inputs):
        return right.operators["relu"](network, node, inputs) + 1

    wrong = dataclasses.replace(right, operators={"relu": off_by_one})
    monkeypatch.setattr(dialects, "get_dialect", lambda name: wrong)
    arguments = ("--runtime", "onnxruntime-s8", "--ops", "relu", "--samples", 300)
    outcome = invoke("dialect", "check", *arguments, "--json")
    assert outcome.code == 1
    assert outcome.json["differing"] == len(dialects.NAMES)


def test_check_without_the_runtime_says_so(invoke, monkeypatch) -> None:
    """A row names what to install; nothing is claimed."""
    monkeypatch.setattr(OnnxRuntime, "version", lambda self: None)
    arguments = ("--runtime", "onnxruntime-exact", "--ops", "dense")
    printed = invoke("dialect", "check", *arguments).stdout
    assert "onnxruntime is not installed: pip install" in printed
    assert "0 outputs compared" in printed
    assert "1 compared nothing" in printed


@pytest.mark.parametrize(
    "arguments",
    [("--ops", "gelu"), ("--runtime", "tvm"), ("--samples", "0"), ("--ops", ",")],
)
def test_wrong_arguments_are_named(invoke, arguments: tuple[str, str]) -> None:
    """A usage error that quotes what was given."""
    outcome = invoke("dialect", "check", *arguments)
    assert outcome.code == 2
    assert arguments[1] in outcome.stderr


def test_every_runtime_can_be_asked_for() -> None:
    """Each oracle belongs to a dialect."""
    runtimes = {dialects.get_dialect(name).runtime for name in dialects.NAMES}
    assert set(oracles.NAMES) <= runtimes


def test_identify_runs_a_model(invoke, tmp_path) -> None:
    """An integer model needs no vectors: it makes its own."""
    file = tmp_path / "model.safetensors"
    infer.save_model(file, scaled_network(0))
    outcome = invoke("dialect", "identify", file, "--json")
    assert outcome.code == 0
    assert "kdq" in outcome.json["equal"]
    file.write_bytes(b"something else")
    assert "something" not in invoke("dialect", "identify", file).stdout
    assert invoke("dialect", "identify", file).code == 1


def test_identify_names_the_dialect(invoke, tmp_path) -> None:
    """Exit code 0 and the names; 1 where nobody computes so."""
    sample = next(generate("dense", seed=1, outputs=500))
    values = dialects.get_dialect("kdq").run(sample.network, sample.inputs)
    file = tmp_path / "vectors.safetensors"
    save_vectors(file, Vectors(sample.network, sample.inputs, {"y": values["y"]}))
    outcome = invoke("dialect", "identify", file, "--json")
    assert outcome.code == 0
    assert "kdq" in outcome.json["equal"]
    assert "equal to " in invoke("dialect", "identify", file).stdout
    wrong = {"y": values["y"] ^ 64}
    save_vectors(file, Vectors(sample.network, sample.inputs, wrong))
    outcome = invoke("dialect", "identify", file)
    assert outcome.code == 1
    assert "equal to no dialect" in outcome.stdout
