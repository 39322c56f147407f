"""Which dialect produced given outputs."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import dense_network

from kdq_ref import infer
from kdq_ref.rounding import RULES, Requant
from kdq_ref.verify.dialects import NAMES, get_dialect
from kdq_ref.verify.identify import identify, vectors_of
from kdq_ref.verify.network import Encoding, store
from kdq_ref.verify.samples import generate
from kdq_ref.verify.vector_file import Vectors


def _answers(name: str, operator: str) -> Vectors:
    """What a dialect makes of a sample of ties, stored as int8."""
    stream = generate(operator, seed=9, outputs=2000)
    samples = [next(stream) for _ in range(8)]
    sample = next(sample for sample in samples if sample.style == "ties")
    dialect = get_dialect(name)
    inputs = {key: store(value, dialect.storage) for key, value in sample.inputs.items()}
    values = dialect.run(sample.network.stored_as(dialect.storage), inputs)
    return Vectors(sample.network, sample.inputs, {"y": store(values["y"], "int8")})


@pytest.mark.parametrize("name", ["kdq", "onnxruntime", "onnx-reference-evaluator"])
def test_a_dialect_recognizes_itself_first(name: str) -> None:
    """It is among the equal ones, and they come first."""
    found = identify(_answers(name, "dense"))
    assert {one.dialect for one in found} == set(NAMES)
    equal = [one.dialect for one in found if one.equal]
    assert name in equal
    assert [one.dialect for one in found][: len(equal)] == equal


def test_ties_tell_dialects_apart() -> None:
    """Half up is not half to even, and says where."""
    found = {one.dialect: one for one in identify(_answers("kdq", "dense"))}
    other = found["onnxruntime"]
    assert not other.equal
    assert other.largest == 1
    assert "dialect" in other.note


def test_saturation_is_recognized() -> None:
    """255 * 127 * 2 saturates: only dialects with pair sums agree."""
    network = dense_network(
        [[127], [127]], source=Encoding("uint8"), output=Encoding("uint8", 512.0, 0)
    )
    saturated = np.full((1, 1), round(32767 / 512), np.uint8)
    vectors = Vectors(network, {"x": np.full((1, 2), 255, np.uint8)}, {"y": saturated})
    equal = {one.dialect for one in identify(vectors) if one.equal}
    assert {"onnxruntime-avx2-default", "pytorch-fbgemm"} <= equal
    assert not equal & {"onnxruntime", "kdq", "onnx-spec", "pytorch-qnnpack"}


def test_what_a_dialect_does_not_describe_comes_last() -> None:
    """With the reason, and never as equal."""
    found = identify(_answers("onnxruntime", "mul"))
    last = next(one for one in found if one.dialect == "kdq")
    assert not last.equal
    assert "does not describe mul" in last.note
    assert found.index(last) >= len([one for one in found if one.outputs])


@pytest.mark.parametrize(("rule", "name"), [("single_rounding", "kdq"), ("float32_rne", "litert")])
def test_a_model_is_its_own_vectors(rule: str, name: str) -> None:
    """Who rounds as it does computes its outputs, on any inputs."""
    rng = np.random.default_rng(1)
    requant = Requant(RULES[rule], RULES[rule].constants(0.5, 0.25, 64.0), 3)
    op = infer.Dense(rng.integers(-60, 61, (9, 4), np.int8), np.zeros(4, np.int32), -7, requant)
    node = infer.IntNode("y", op, ("input",), 64.0, 3)
    graph = infer.IntGraph((9,), 0.5, -7, (node,), "y", RULES[rule])
    vectors = vectors_of(graph, samples=8192)
    np.testing.assert_array_equal(vectors.inputs["input"][:2], [[-128] * 9, [127] * 9])
    equal = {one.dialect for one in identify(vectors) if one.equal}
    assert name in equal
    assert len(equal & {"kdq", "litert"}) == 1
