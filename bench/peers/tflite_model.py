"""Write an integer network as a TensorFlow Lite flatbuffer, with the schema that LiteRT ships."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from bench.models import Model, Problem
from bench.peers import Unsupported
from kdq_ref import nn
from kdq_ref.geometry import Padding, effective_kernel
from kdq_ref.infer import IntNode

_SCHEMA_VERSION = 3
# int8 forms of operators came with these versions.
_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "HARD_SWISH": 1,
    "RESHAPE": 1,
}
_VERSION = 2
_TYPES = {np.dtype(np.int8): schema.TensorType.INT8, np.dtype(np.int32): schema.TensorType.INT32}


def build_model(problem: Problem) -> bytes:
    """Serialize the network.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    bytes
        One input and one output, both in our layout and with our codes.

    Raises
    ------
    Unsupported
    """
    return _Writer(problem.model, problem.batch).model()


class _Writer:
    """Collects tensors, buffers and operators while it walks the network."""

    def __init__(self, model: Model, batch: int) -> None:
        self._source, self._graph, self._batch = model, model.reference, batch
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [schema.BufferT()]  # number 0 is empty by definition
        self._codes: list[str] = []
        self._operators: list[Any] = []

    def model(self) -> bytes:
        graph = self._graph
        tensors = {"input": self._activation("input", graph.input_shape, "input")}
        for node in graph.nodes:
            write = _WRITERS.get(node.op.kind)
            if write is None:
                raise Unsupported(f"no TensorFlow Lite operator for {node.op.kind}")
            output = self._activation(node.name, graph.shapes[node.name], node.name)
            write(self, node, [tensors[name] for name in node.inputs], output)
            tensors[node.name] = output
        subgraph = schema.SubGraphT(
            tensors=self._tensors,
            inputs=[tensors["input"]],
            outputs=[tensors[graph.output]],
            operators=self._operators,
        )
        operator_codes = []
        for name in self._codes:
            code = getattr(schema.BuiltinOperator, name)
            version = _VERSIONS.get(name, _VERSION)
            # The first field is for old readers, which knew codes below 128 only.
            operator_codes.append(
                schema.OperatorCodeT(min(code, 127), version=version, builtinCode=code)
            )
        model = schema.ModelT(
            version=_SCHEMA_VERSION,
            operatorCodes=operator_codes,
            subgraphs=[subgraph],
            buffers=self._buffers,
        )
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _activation(self, name: str, shape: tuple[int, ...], params: str) -> int:
        """A tensor of the whole batch with the scale and zero point of the value `params`."""
        scale, zero_point = self._graph.quantization(params)
        return self._tensor(
            name, (self._batch, *shape), np.dtype(np.int8), 0, [scale], [zero_point]
        )

    def _tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: np.dtype,
        buffer: int,
        scales: Any = None,
        zero_points: Any = None,
        axis: int = 0,
    ) -> int:
        quantization = None
        if scales is not None:
            quantization = schema.QuantizationParametersT(
                scale=np.asarray(scales, np.float32),
                zeroPoint=np.asarray(zero_points, np.int64),
                quantizedDimension=axis,
            )
        self._tensors.append(
            schema.TensorT(
                shape=np.asarray(shape, np.int32),
                type=_TYPES[dtype],
                buffer=buffer,
                name=name,
                quantization=quantization,
            )
        )
        return len(self._tensors) - 1

    def _constant(self, name: str, value: np.ndarray, scales: Any = None, axis: int = 0) -> int:
        data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
        self._buffers.append(schema.BufferT(data=data))
        zeros = None if scales is None else np.zeros(len(scales), np.int64)
        last = len(self._buffers) - 1
        return self._tensor(name, value.shape, value.dtype, last, scales, zeros, axis)

    def _op(self, kind: str, inputs: list[int], output: int, name: str = "", **options: Any) -> int:
        """Append an operator; `name` is that of its table of options in the schema."""
        if kind not in self._codes:
            self._codes.append(kind)
        operator = schema.OperatorT(
            opcodeIndex=self._codes.index(kind), inputs=inputs, outputs=[output]
        )
        if name:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            operator.builtinOptions = getattr(schema, f"{name}T")(**options)
        self._operators.append(operator)
        return output

    def _weights(self, node: IntNode, weight: np.ndarray, axis: int) -> list[int]:
        """Weight, its channels along `axis`, and bias."""
        op: Any = node.op
        scales = np.broadcast_to(self._source.weight_scales[node.name], op.bias.shape)
        input_scale, _ = self._graph.quantization(node.inputs[0])
        return [
            self._constant(f"{node.name}_w", weight, scales, axis),
            self._constant(f"{node.name}_b", op.bias, np.float32(input_scale) * scales),
        ]

    def _padded(self, node: IntNode, source: int, kernel: tuple[int, int]) -> tuple[int, int]:
        """Tensor and padding mode; what neither mode says becomes an operator of its own."""
        op: Any = node.op
        shape = self._graph.shapes[node.inputs[0]]
        if not any(op.padding):
            return source, schema.Padding.VALID
        if op.padding == _same(shape, kernel, op.stride):
            return source, schema.Padding.SAME
        if op.kind == "max_pool2d":
            raise Unsupported("TensorFlow Lite pads a max-pool by SAME only")
        top, bottom, left, right = op.padding
        amounts = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        larger = (shape[0] + top + bottom, shape[1] + left + right, shape[2])
        padded = self._activation(f"{node.name}_padded", larger, node.inputs[0])
        self._op(
            "PAD",
            [source, self._constant(f"{node.name}_pads", amounts)],
            padded,
            "PadOptions",
        )
        return padded, schema.Padding.VALID

    def conv(self, node: IntNode, inputs: list[int], output: int) -> None:
        op: Any = node.op
        source, padding = self._padded(
            node, inputs[0], effective_kernel(op.weight.shape[:2], op.dilation)
        )
        options = {
            "padding": padding,
            "strideH": op.stride[0],
            "strideW": op.stride[1],
            "dilationHFactor": op.dilation[0],
            "dilationWFactor": op.dilation[1],
            "fusedActivationFunction": _activation_of(node),
        }
        if op.kind == "depthwise_conv2d":
            operands = [source, *self._weights(node, op.weight.transpose(2, 0, 1, 3), 3)]
            channels = self._graph.shapes[node.inputs[0]][2]
            options["depthMultiplier"] = op.weight.shape[3] // channels
            self._op("DEPTHWISE_CONV_2D", operands, output, "DepthwiseConv2DOptions", **options)
            return
        # Groups are implied by the sizes of image and filter.
        operands = [source, *self._weights(node, op.weight.transpose(3, 0, 1, 2), 0)]
        self._op("CONV_2D", operands, output, "Conv2DOptions", **options)

    def dense(self, node: IntNode, inputs: list[int], output: int) -> None:
        op: Any = node.op
        operands = [inputs[0], *self._weights(node, op.weight.T, 0)]
        self._op(
            "FULLY_CONNECTED",
            operands,
            output,
            "FullyConnectedOptions",
            fusedActivationFunction=_activation_of(node),
        )

    def pool(self, node: IntNode, inputs: list[int], output: int) -> None:
        op: Any = node.op
        average = op.kind == "avg_pool2d"
        source, padding = self._padded(node, inputs[0], op.kernel)
        target = output
        if average:  # a pool keeps scale and zero point here, so a second operator changes them
            shape = self._graph.shapes[node.name]
            target = self._activation(f"{node.name}_pooled", shape, node.inputs[0])
        self._op(
            "AVERAGE_POOL_2D" if average else "MAX_POOL_2D",
            [source],
            target,
            "Pool2DOptions",
            padding=padding,
            strideH=op.stride[0],
            strideW=op.stride[1],
            filterHeight=op.kernel[0],
            filterWidth=op.kernel[1],
        )
        if average:
            _unclamped(node)
            self._op("QUANTIZE", [target], output, "QuantizeOptions")

    def global_avg_pool(self, node: IntNode, inputs: list[int], output: int) -> None:
        _unclamped(node)
        axes = self._constant(f"{node.name}_axes", np.array([1, 2], np.int32))
        self._op("MEAN", [inputs[0], axes], output, "ReducerOptions", keepDims=False)

    def add(self, node: IntNode, inputs: list[int], output: int) -> None:
        clamp = _activation_of(node)
        self._op("ADD", inputs, output, "AddOptions", fusedActivationFunction=clamp)

    def lookup(self, node: IntNode, inputs: list[int], output: int) -> None:
        layer = self._source.layers[node.name]
        if not isinstance(layer, nn.HardSwish):
            raise Unsupported(f"no operator was written for {type(layer).__name__}")
        self._op("HARD_SWISH", inputs, output, "HardSwishOptions")

    def flatten(self, node: IntNode, inputs: list[int], output: int) -> None:
        shape = np.array([self._batch, *self._graph.shapes[node.name]], np.int32)
        operands = [inputs[0], self._constant(f"{node.name}_shape", shape)]
        self._op("RESHAPE", operands, output, "ReshapeOptions", newShape=shape)


def _same(shape: tuple[int, ...], kernel: tuple[int, int], stride: tuple[int, int]) -> Padding:
    """The padding that SAME stands for: the larger half is behind."""
    parts: list[int] = []
    for size, extent, step in zip(shape, kernel, stride, strict=False):
        total = max((-(-size // step) - 1) * step + extent - size, 0)
        parts += [total // 2, total - total // 2]
    top, bottom, left, right = parts
    return top, bottom, left, right


def _activation_of(node: IntNode) -> int:
    """The fused activation whose clamp is the node's."""
    requant: Any = node.op.keywords()["requant"]
    if (requant.qmin, requant.qmax) == (-128, 127):
        return int(schema.ActivationFunctionType.NONE)
    if requant.qmin != requant.zero_point:
        raise Unsupported("no fused activation clamps from below but at zero")
    if requant.qmax == 127:
        return int(schema.ActivationFunctionType.RELU)
    return int(schema.ActivationFunctionType.RELU6)


def _unclamped(node: IntNode) -> None:
    if _activation_of(node) != schema.ActivationFunctionType.NONE:
        raise Unsupported("a clamp behind average pooling")


_WRITERS: dict[str, Callable[[_Writer, IntNode, list[int], int], None]] = {
    "conv2d": _Writer.conv,
    "depthwise_conv2d": _Writer.conv,
    "dense": _Writer.dense,
    "max_pool2d": _Writer.pool,
    "avg_pool2d": _Writer.pool,
    "global_avg_pool": _Writer.global_avg_pool,
    "add": _Writer.add,
    "lookup": _Writer.lookup,
    "flatten": _Writer.flatten,
}
