"""Write an integer network as a quantized ONNX model (``QLinearConv`` and its relatives)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from bench.models import Model, Problem
from bench.peers import Unsupported
from kdq_ref import nn
from kdq_ref.infer import IntNode

_CONTRIB = "com.microsoft"


def build_model(problem: Problem, *, unsigned: bool) -> bytes:
    """Serialize the network.

    Convolutions are standard ONNX, channels first, between two transpositions of the whole model:
    ONNX Runtime rewrites them to its channels-last kernels and the transpositions vanish.

    Parameters
    ----------
    problem : Problem
    unsigned : bool
        uint8 activations (codes + 128) or int8 ones; weights are int8 either way.

    Returns
    -------
    bytes
        Input ``"input"`` : (batch, *input_shape), output ``"output"``, both in our layout.

    Raises
    ------
    Unsupported
    """
    return _Writer(problem.model, problem.batch, unsigned).model()


class _Writer:
    """Collects nodes and initializers while it walks the network."""

    def __init__(self, model: Model, batch: int, unsigned: bool) -> None:
        self._source, self._graph, self._batch = model, model.reference, batch
        self._dtype = np.uint8 if unsigned else np.int8
        self._shift = 128 if unsigned else 0
        self._type = TensorProto.UINT8 if unsigned else TensorProto.INT8
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []

    def model(self) -> bytes:
        graph = self._graph
        names = {"input": "input"}
        if len(graph.input_shape) == 3:
            names["input"] = self._op("Transpose", ["input"], "channels_first", perm=[0, 3, 1, 2])
        for node in graph.nodes:
            write = _WRITERS.get(node.op.kind)
            if write is None:
                raise Unsupported(f"no quantized ONNX operator for {node.op.kind}")
            names[node.name] = write(self, node, [names[name] for name in node.inputs])
        last = names[graph.output]
        if len(graph.output_shape) == 3:
            self._op("Transpose", [last], "output", perm=[0, 2, 3, 1])
        else:
            self._op("Identity", [last], "output")
        body = helper.make_graph(
            self._nodes,
            "network",
            [self._value("input", graph.input_shape)],
            [self._value("output", graph.output_shape)],
            self._initializers,
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(_CONTRIB, 1)]
        serialized: bytes = helper.make_model(
            body, opset_imports=opsets, ir_version=9
        ).SerializeToString()
        return serialized

    def _value(self, name: str, shape: tuple[int, ...]) -> Any:
        return helper.make_tensor_value_info(name, self._type, [self._batch, *shape])

    def _op(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, name: str, value: np.ndarray) -> str:
        # Not ascontiguousarray, which makes a vector of a scalar.
        self._initializers.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def _params(self, value: str, prefix: str) -> list[str]:
        """Scale and zero point of a value of the graph, as constants."""
        scale, zero_point = self._graph.quantization(value)
        return [
            self._constant(f"{prefix}_scale", np.float32(scale)),
            self._constant(f"{prefix}_zero", self._dtype(zero_point + self._shift)),
        ]

    def _weight(self, node: IntNode, weight: np.ndarray, channels: int) -> list[str]:
        scales = np.broadcast_to(self._source.weight_scales[node.name], (channels,))
        return [
            self._constant(f"{node.name}_w", weight),
            self._constant(f"{node.name}_w_scale", scales),
            self._constant(f"{node.name}_w_zero", np.zeros(channels, np.int8)),
        ]

    def _clamped(self, node: IntNode, output: str) -> str:
        """Apply the node's clamp where the type's own saturation does not do it already."""
        requant: Any = node.op.keywords()["requant"]
        if (requant.qmin, requant.qmax) == (-128, 127):
            return output
        bounds = [
            self._constant(f"{node.name}_{end}", self._dtype(bound + self._shift))
            for end, bound in (("qmin", requant.qmin), ("qmax", requant.qmax))
        ]
        return self._op("Clip", [output, *bounds], f"{node.name}_clamped")

    def conv(self, node: IntNode, inputs: list[str]) -> str:
        op: Any = node.op
        c_out = op.weight.shape[3]
        depthwise = op.kind == "depthwise_conv2d"
        operands = [inputs[0], *self._params(node.inputs[0], f"{node.name}_x")]
        operands += self._weight(node, op.weight.transpose(3, 2, 0, 1), c_out)
        operands += self._params(node.name, f"{node.name}_y")
        operands.append(self._constant(f"{node.name}_b", op.bias))
        output = self._op(
            "QLinearConv",
            operands,
            node.name,
            strides=list(op.stride),
            dilations=list(op.dilation),
            pads=_pads(op.padding),
            group=self._graph.shapes[node.inputs[0]][2] if depthwise else op.groups,
        )
        return self._clamped(node, output)

    def dense(self, node: IntNode, inputs: list[str]) -> str:
        op: Any = node.op
        operands = [inputs[0], *self._params(node.inputs[0], f"{node.name}_x")]
        operands += self._weight(node, op.weight, op.weight.shape[1])
        result = self._params(node.name, f"{node.name}_y")
        if op.bias.any():
            # QLinearMatMul has no bias; this one of ONNX Runtime's own has.
            operands += [self._constant(f"{node.name}_b", op.bias), *result]
            output = self._op("QGemm", operands, node.name, domain=_CONTRIB)
        else:
            output = self._op("QLinearMatMul", [*operands, *result], node.name)
        return self._clamped(node, output)

    def max_pool(self, node: IntNode, inputs: list[str]) -> str:
        op: Any = node.op
        window = {"kernel_shape": list(op.kernel), "strides": list(op.stride)}
        return self._op("MaxPool", inputs, node.name, pads=_pads(op.padding), **window)

    def avg_pool(self, node: IntNode, inputs: list[str]) -> str:
        op: Any = node.op
        output = self._op(
            "QLinearAveragePool",
            self._unary(node, inputs[0]),
            node.name,
            domain=_CONTRIB,
            kernel_shape=list(op.kernel),
            strides=list(op.stride),
            pads=_pads(op.padding),
            count_include_pad=1,
        )
        return self._clamped(node, output)

    def global_avg_pool(self, node: IntNode, inputs: list[str]) -> str:
        # Channels last, so that its transposition cancels, too.
        turned = self._op("Transpose", inputs, f"{node.name}_last", perm=[0, 2, 3, 1])
        operands, pooled = self._unary(node, turned), f"{node.name}_pooled"
        self._op("QLinearGlobalAveragePool", operands, pooled, domain=_CONTRIB, channels_last=1)
        return self._clamped(node, self._op("Flatten", [pooled], node.name))

    def add(self, node: IntNode, inputs: list[str]) -> str:
        operands = []
        for i, name in enumerate(inputs):
            operands += [name, *self._params(node.inputs[i], f"{node.name}_{i}")]
        operands += self._params(node.name, f"{node.name}_y")
        output = self._op("QLinearAdd", operands, node.name, domain=_CONTRIB)
        return self._clamped(node, output)

    def lookup(self, node: IntNode, inputs: list[str]) -> str:
        """An activation: between dequantization and quantization, as its quantizer writes it."""
        layer = self._source.layers[node.name]
        if not isinstance(layer, nn.HardSwish):
            raise Unsupported(f"no ONNX operator was written for {type(layer).__name__}")
        name = node.name
        source = [inputs[0], *self._params(node.inputs[0], f"{name}_x")]
        real = self._op("DequantizeLinear", source, f"{name}_real")
        active = self._op("HardSwish", [real], f"{name}_active")
        return self._op("QuantizeLinear", [active, *self._params(name, f"{name}_y")], name)

    def flatten(self, node: IntNode, inputs: list[str]) -> str:
        # Our order has the channels fastest.
        turned = inputs[0]
        if len(self._graph.shapes[node.inputs[0]]) == 3:
            turned = self._op("Transpose", inputs, f"{node.name}_last", perm=[0, 2, 3, 1])
        return self._op("Flatten", [turned], node.name)

    def _unary(self, node: IntNode, source: str) -> list[str]:
        name = node.name
        return [
            source,
            *self._params(node.inputs[0], f"{name}_x"),
            *self._params(name, f"{name}_y"),
        ]


def _pads(padding: tuple[int, int, int, int]) -> list[int]:
    top, bottom, left, right = padding
    return [top, left, bottom, right]


_WRITERS: dict[str, Callable[[_Writer, IntNode, list[str]], str]] = {
    "conv2d": _Writer.conv,
    "depthwise_conv2d": _Writer.conv,
    "dense": _Writer.dense,
    "max_pool2d": _Writer.max_pool,
    "avg_pool2d": _Writer.avg_pool,
    "global_avg_pool": _Writer.global_avg_pool,
    "add": _Writer.add,
    "lookup": _Writer.lookup,
    "flatten": _Writer.flatten,
}
