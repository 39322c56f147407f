"""Networks as TensorFlow Lite files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.dialects import dense_network

from kdq_ref.errors import UnsupportedError
from kdq_ref.geometry import window_output
from kdq_ref.verify.network import Encoding, Network, Node, Weight
from kdq_ref.verify.oracles.tflite_flatbuffer import load_schema
from kdq_ref.verify.oracles.tflite_model import build_model, same_padding
from kdq_ref.verify.samples import OPERATORS, generate

_HALF, _OTHER = Encoding("int8", 0.5, 3), Encoding("int8", 0.25, -1)


def _parsed(network: Network, batch: int = 2) -> Any:
    try:
        schema = load_schema()
    except UnsupportedError as fault:
        pytest.skip(str(fault))
    content = build_model(network, batch).content
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))


def _kinds(network: Network) -> list[str]:
    schema = load_schema() if _parsed(network) else None
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    model = _parsed(network)
    codes = [names[code.builtinCode] for code in model.operatorCodes]
    return [codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators]


def _single(operator: str, output: Encoding, shape: tuple[int, ...], **fields: Any) -> Network:
    node = Node("y", operator, ("x",), output, **fields)
    return Network({"x": _HALF}, {"x": shape}, (node,), "y")


def _filter(*shape: int) -> Weight:
    return Weight(np.ones(shape, np.int8), np.ones(1, np.float32))


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_is_written(operator: str) -> None:
    """With as many inputs as the network has, one output, of the batch that was asked for."""
    stream = generate(operator, seed=2, outputs=100)
    written = 0
    for _ in range(12):
        sample = next(stream)
        try:
            (graph,) = _parsed(sample.network, 3).subgraphs
        except UnsupportedError:
            continue  # a clip that TensorFlow Lite has not
        written += 1
        assert [graph.tensors[index].shape[0] for index in graph.inputs] == [3] * len(sample.inputs)
        (output,) = graph.outputs
        assert graph.tensors[output].name == b"y"
        assert graph.tensors[output].shape[0] == 3
    assert written


def test_padding_that_is_neither_same_nor_valid_is_an_operator() -> None:
    """A stride of 2 on an even size: SAME pads behind, equal halves are a PAD."""
    fields = {"weight": _filter(3, 3, 1, 2), "stride": (2, 2)}
    assert _kinds(_single("conv2d", _OTHER, (8, 8, 1), padding=(1, 1, 1, 1), **fields)) == [
        "PAD",
        "CONV_2D",
    ]
    assert _kinds(_single("conv2d", _OTHER, (8, 8, 1), padding=(0, 1, 0, 1), **fields)) == [
        "CONV_2D"
    ]
    with pytest.raises(UnsupportedError, match="pads a pooling window by SAME only"):
        _kinds(
            _single(
                "max_pool2d", _HALF, (8, 8, 1), kernel=(3, 3), stride=(2, 2), padding=(1, 1, 1, 1)
            )
        )


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 4))
def test_same_padding_keeps_the_size(length: int, window: int, step: int) -> None:
    """ceil(length / step) windows, the larger half behind."""
    top, bottom, left, right = same_padding((length, length), (window, window), (step, step))
    assert (top, bottom) == (left, right)
    assert 0 <= bottom - top <= 1
    size = window_output(
        (length, length), (window, window), (step, step), (top, bottom, left, right)
    )
    assert size == (-(-length // step),) * 2


def test_a_change_of_encoding_is_an_operator() -> None:
    """Behind pooling and flattening, and before a concatenation for each input that differs."""
    pool = {"kernel": (2, 2), "stride": (2, 2)}
    assert _kinds(_single("avg_pool2d", _HALF, (4, 4, 1), **pool)) == ["AVERAGE_POOL_2D"]
    assert _kinds(_single("avg_pool2d", _OTHER, (4, 4, 1), **pool)) == [
        "AVERAGE_POOL_2D",
        "QUANTIZE",
    ]
    assert _kinds(_single("flatten", _OTHER, (4, 4, 1))) == ["RESHAPE", "QUANTIZE"]
    node = Node("y", "concat", ("a", "b"), _HALF)
    inputs = {"a": _HALF, "b": _OTHER}
    network = Network(inputs, {"a": (3,), "b": (4,)}, (node,), "y")
    assert _kinds(network) == ["QUANTIZE", "CONCATENATION"]


def test_int16_activations_have_biases_of_int64() -> None:
    """Beyond int32, and operators in the versions that take them."""
    wide = Encoding("int16", 0.5, 0)
    bias = np.array([2**40], np.int64)
    model = _parsed(dense_network([[1], [2]], source=wide, output=wide, bias=bias))
    (graph,) = model.subgraphs
    tensors = {tensor.name: tensor for tensor in graph.tensors}
    assert bytes(model.buffers[tensors[b"y_bias"].buffer].data) == bias.tobytes()
    assert model.operatorCodes[0].version == 7


def test_a_sum_that_would_end_the_process_is_not_written() -> None:
    """No file, no interpreter, no abort."""
    node = Node("y", "add", ("a", "b"), Encoding("int8", 2.0**-20, 0))
    network = Network({"a": _HALF, "b": _HALF}, {"a": (3,), "b": (3,)}, (node,), "y")
    with pytest.raises(UnsupportedError, match="aborts the process"):
        _parsed(network)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (dense_network([[1]], clamp=(0.0, 5.0)), r"fuses only RELU, RELU6, RELU_N1_TO_1"),
        (_single("clip", _HALF, (3,), clamp=(0.0, 5.0)), r"has only RELU, .*RELU_0_TO_1"),
        (_single("global_avg_pool", _HALF, (2, 2, 1), clamp=(0.0, 6.0)), "MEAN has no fused"),
    ],
)
def test_clamps_that_it_has_not_are_refused(network: Network, message: str) -> None:
    """A message says which it has."""
    with pytest.raises(UnsupportedError, match=message):
        _parsed(network)
