"""Tables of a TensorFlow Lite file."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.oracles import tflite_flatbuffer


def _writer() -> tflite_flatbuffer.FlatbufferWriter:
    try:
        return tflite_flatbuffer.FlatbufferWriter()
    except UnsupportedError as fault:
        pytest.skip(str(fault))


def test_what_is_written_is_read_back() -> None:
    """Tensors with their quantization, constants with their bytes, operators with their options."""
    writer = _writer()
    x = writer.tensor("x", (1, 3), "int8", [0.5], [-7])
    w = writer.constant("w", np.array([[1, -2, 3]], np.int8), [0.25, 2.0], axis=0)
    y = writer.tensor("y", (1, 1), "int8", [1.0], [0])
    writer.operator("FULLY_CONNECTED", 4, [x, w], y, "FullyConnectedOptions", keepNumDims=True)
    schema = writer.schema
    content = writer.finish([x], [y])
    assert content[4:8] == b"TFL3"
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    (graph,) = model.subgraphs
    tensors = {tensor.name.decode(): tensor for tensor in graph.tensors}
    assert tensors["x"].shape.tolist() == [1, 3]
    assert tensors["x"].quantization.zeroPoint.tolist() == [-7]
    assert tensors["w"].quantization.scale.tolist() == [0.25, 2.0]
    assert bytes(model.buffers[tensors["w"].buffer].data) == np.array([1, -2, 3], np.int8).tobytes()
    (operator,) = graph.operators
    assert operator.builtinOptions.keepNumDims
    (code,) = model.operatorCodes
    assert (code.builtinCode, code.version) == (schema.BuiltinOperator.FULLY_CONNECTED, 4)


def test_equal_operators_share_a_code() -> None:
    """But another version of the same operator has its own."""
    writer = _writer()
    x = writer.tensor("x", (1, 3), "int8", [0.5], [0])
    for version in (2, 2, 3):
        writer.operator("TANH", version, [x], x)
    schema = writer.schema
    content = writer.finish([x], [x])
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    assert [code.version for code in model.operatorCodes] == [2, 3]
    assert [operator.opcodeIndex for operator in model.subgraphs[0].operators] == [0, 0, 1]


def test_uint8_is_refused_with_the_way_out() -> None:
    """The dialects of this family are of int8."""
    with pytest.raises(UnsupportedError, match=r"stored as uint8.*stored_as\('int8'\)"):
        _writer().tensor("x", (1,), "uint8", [1.0], [0])


def test_without_a_schema_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any of the packages that bring one."""

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UnsupportedError, match="pip install flatbuffers, and ai-edge-litert or"):
        tflite_flatbuffer.load_schema()
