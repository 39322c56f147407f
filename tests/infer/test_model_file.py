"""The integer model file: exact round trips, and no trust in what is read."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies.int_networks import residual_network

from kdq_ref import infer
from kdq_ref.errors import InvalidArgumentError, ModelFileError
from kdq_ref.files import load_tensors, save_tensors
from kdq_ref.infer.model_file import KIND
from kdq_ref.rounding import RULES

GRAPH = residual_network(0)


def _saved(path: Path, graph: infer.IntGraph) -> bytes:
    infer.save_model(path, graph)
    return path.read_bytes()


def _assert_same(a: infer.IntGraph, b: infer.IntGraph) -> None:
    """Equal as far as anything can tell: header fields, operators, arrays and their dtypes."""
    for key in ("input_shape", "input_scale", "input_zero_point", "output", "source_digest"):
        assert getattr(a, key) == getattr(b, key)
    assert a.rule is b.rule
    assert a.metadata == b.metadata
    for left, right in zip(a.nodes, b.nodes, strict=True):
        assert (left.name, left.inputs, left.scale, left.zero_point) == (
            right.name,
            right.inputs,
            right.scale,
            right.zero_point,
        )
        assert type(left.op) is type(right.op)
        for key, value in left.op.keywords().items():
            other = right.op.keywords()[key]
            if isinstance(value, np.ndarray):
                assert value.dtype == other.dtype
                np.testing.assert_array_equal(value, other)
            elif key == "requant":
                assert (value.rule, value.zero_point, value.qmin, value.qmax) == (
                    other.rule,
                    other.zero_point,
                    other.qmin,
                    other.qmax,
                )
                for name, array in vars(value.constants).items():
                    np.testing.assert_array_equal(array, getattr(other.constants, name))
            else:
                assert value == other


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(RULES)))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, seed: int, rule: str) -> None:
    """Everything comes back; saving what was loaded gives the same bytes."""
    path = tmp_path_factory.getbasetemp() / "model"
    graph = residual_network(seed, rule)
    data = _saved(path, graph)
    loaded = infer.load_model(path)
    _assert_same(loaded, graph)
    assert _saved(path, loaded) == data


@pytest.mark.parametrize(
    ("rule", "stored"),
    [("single_rounding", set()), ("onnx_spec", {"requant_real"}), ("fbgemm", {"requant_bias"})],
)
def test_only_what_the_rule_reads_is_stored(tmp_path: Path, rule: str, stored: set[str]) -> None:
    """Beside mantissa, exponent and scale, which every file of this format has."""
    infer.save_model(tmp_path / "m", residual_network(3, rule))
    tensors, _ = load_tensors(tmp_path / "m", kind=KIND, error=ModelFileError)
    kinds = {name.rpartition(".")[2] for name in tensors}
    assert {"multiplier", "exponent", "requant_scale"} <= kinds
    assert kinds & {"requant_real", "requant_bias"} == stored


SAMPLE: list[bytes] = []


@settings(max_examples=1000)
@given(st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_a_thousand_damaged_files(
    tmp_path_factory: pytest.TempPathFactory, position: int, flip: int, truncate: bool
) -> None:
    """Cut or flip any byte: a typed error or the identical model."""
    path = tmp_path_factory.getbasetemp() / "damaged"
    if not SAMPLE:
        SAMPLE.append(_saved(path, GRAPH))
    data = bytearray(SAMPLE[0])
    position %= len(data)
    if truncate:
        del data[position:]
    else:
        data[position] ^= flip
    path.write_bytes(data)
    try:
        loaded = infer.load_model(path)
    except ModelFileError:
        return
    _assert_same(loaded, GRAPH)


@pytest.fixture
def content(tmp_path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and manifest of a good file, to be edited and signed again."""
    infer.save_model(tmp_path / "good", GRAPH)
    return load_tensors(tmp_path / "good", kind=KIND, error=ModelFileError)


def _node(manifest: dict, name: str) -> dict:
    return next(node for node in manifest["nodes"] if node["name"] == name)


EDITS: list[tuple[str, Callable[[dict, dict], Any], str]] = [
    ("future format", lambda t, m: m.update(format=2), "has format 2"),
    ("no format", lambda t, m: m.pop("format"), "has format None"),
    ("missing key", lambda t, m: m.pop("rule"), r"missing keys \['rule'\]"),
    ("extra key", lambda t, m: m.update(evil=1), r"unexpected keys \['evil'\]"),
    ("unknown rule", lambda t, m: m.update(rule="nearest"), "unknown rounding rule 'nearest'"),
    ("rule of another type", lambda t, m: m.update(rule=[1]), "rule must be a str"),
    ("nodes not a list", lambda t, m: m.update(nodes={}), "nodes must be a list"),
    ("node not an object", lambda t, m: m["nodes"].append(3), "node must be a dict"),
    ("unknown kind", lambda t, m: _node(m, "conv").update(kind="exec"), "unknown kind 'exec'"),
    ("boolean zero point", lambda t, m: _node(m, "max").update(zero_point=True), "zero_point must"),
    ("huge scale", lambda t, m: _node(m, "max").update(scale=10**400), "beyond float64"),
    ("zero scale", lambda t, m: m["input"].update(scale=0), "scale must be a positive"),
    ("text scale", lambda t, m: m["input"].update(scale="1"), "must be a number"),
    ("huge shape", lambda t, m: m["input"].update(shape=[2**62, 2**62, 3]), "per sample"),
    ("cycle", lambda t, m: _node(m, "conv").update(inputs=["logits"]), "cycle"),
    ("lost node", lambda t, m: m["nodes"].pop(0), "belong to no node"),
    ("no output", lambda t, m: m.update(output="x"), "output 'x'"),
    (
        "short padding",
        lambda t, m: _node(m, "conv")["attributes"].update(padding=[1, 1]),
        "padding must have 4 parts",
    ),
    (
        "negative padding",
        lambda t, m: _node(m, "conv")["attributes"].update(padding=[-1, 1, 1, 1]),
        "padding must be in",
    ),
    (
        "huge stride",
        lambda t, m: _node(m, "max")["attributes"].update(stride=[0, 1]),
        "stride must be in",
    ),
    (
        "extra attribute",
        lambda t, m: _node(m, "flat")["attributes"].update(x=1),
        r"unexpected keys \['x'\]",
    ),
    (
        "clamp out of order",
        lambda t, m: _node(m, "conv")["attributes"]["requant"].update(qmin=120, qmax=-120),
        "qmin 120 must not exceed",
    ),
    (
        "addend too large",
        lambda t, m: _node(m, "sum")["attributes"].update(a_multiplier=2**31),
        "a_multiplier must be in",
    ),
    ("tensor missing", lambda t, m: t.pop("conv.weight"), "'conv.weight' is missing"),
    ("tensor too many", lambda t, m: t.update(evil=t["conv.bias"]), "belong to no node"),
    (
        "wrong dtype",
        lambda t, m: t.update({"conv.bias": t["conv.bias"].astype(np.int64)}),
        "is int64, not int32",
    ),
    (
        "wrong shape",
        lambda t, m: t.update({"conv.weight": t["conv.weight"][:2]}),
        "impossible network|bounds",
    ),
    (
        "multiplier out of range",
        lambda t, m: t["conv.multiplier"].__setitem__(0, 5),
        "fixed-point multiplier",
    ),
    (
        "exponent out of range",
        lambda t, m: t["conv.exponent"].__setitem__(0, 31),
        "fixed-point exponent",
    ),
    (
        "forged bounds",
        lambda t, m: t["conv.bounds"].__setitem__((0, 0), 0),
        "bounds are not those of its weights",
    ),
    ("no bounds", lambda t, m: t.pop("conv.bounds"), "bounds are not those of its weights"),
]


@pytest.mark.parametrize(("edit", "message"), [e[1:] for e in EDITS], ids=[e[0] for e in EDITS])
def test_a_signed_lie_is_still_found(
    tmp_path: Path, content: tuple[dict, dict], edit: Callable, message: str
) -> None:
    """Files with a valid digest but impossible content are typed errors that name the fault."""
    tensors, manifest = copy.deepcopy(content)
    edit(tensors, manifest)
    save_tensors(tmp_path / "lie", tensors, manifest, kind=KIND)
    with pytest.raises(ModelFileError, match=message):
        infer.load_model(tmp_path / "lie")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    """A checkpoint is not a model."""
    save_tensors(tmp_path / "f", {}, {}, kind="checkpoint")
    with pytest.raises(ModelFileError, match="holds 'checkpoint', not 'integer-model'"):
        infer.load_model(tmp_path / "f")


def test_numpy_numbers_can_be_saved(tmp_path: Path) -> None:
    """A network whose scales and zero points came out of arrays is written like any other."""
    graph = residual_network(0)
    nodes = tuple(
        dataclasses.replace(n, scale=np.float32(n.scale), zero_point=np.int8(n.zero_point))
        for n in graph.nodes
    )
    narrow = dataclasses.replace(
        graph,
        nodes=nodes,
        input_shape=tuple(np.array(graph.input_shape)),
        input_scale=np.float32(graph.input_scale),
        input_zero_point=np.int8(graph.input_zero_point),
    )
    infer.save_model(tmp_path / "plain", graph)
    infer.save_model(tmp_path / "narrow", narrow)
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "narrow").read_bytes()


def test_metadata_that_json_cannot_hold(tmp_path: Path) -> None:
    """A typed error, and no file."""
    for bad in ({"a": float("nan")}, {"a": {1}}, {1: 1, "a": 2}):
        graph = dataclasses.replace(residual_network(0), metadata=bad)
        with pytest.raises(InvalidArgumentError, match="does not survive JSON"):
            infer.save_model(tmp_path / "model", graph)
    assert not list(tmp_path.iterdir())
