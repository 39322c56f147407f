"""A :class:`Network` as a TensorFlow Lite file: which operators a node becomes.

Every node is one operator, and a few more where TensorFlow Lite's operator is narrower than the
node: PAD before a convolution whose padding is neither SAME nor VALID, and QUANTIZE behind pooling
and flattening, or before a concatenation, where the encodings on both sides differ. The dialects
of this family compute the same sequence.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.geometry import Padding, Pair, effective_kernel
from kdq_ref.verify.accumulators import weight_of
from kdq_ref.verify.dialects.tflite_arithmetic import check_sum_scales
from kdq_ref.verify.network import Encoding, Network, Node, value_shapes
from kdq_ref.verify.oracles.tflite_flatbuffer import FlatbufferWriter

FUSED = {(0.0, math.inf): "RELU", (0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1"}
"""Clamps that an operator may carry."""

# The versions that brought int8 operands, and int16 ones.
_VERSIONS = {
    "ADD": (2, 5),
    "AVERAGE_POOL_2D": (2, 3),
    "CONCATENATION": (2, 3),
    "CONV_2D": (3, 4),
    "DEPTHWISE_CONV_2D": (3, 5),
    "DEQUANTIZE": (2, 3),
    "FULLY_CONNECTED": (4, 7),
    "HARD_SWISH": (1, 1),
    "LOGISTIC": (2, 3),
    "MAX_POOL_2D": (2, 3),
    "MEAN": (2, 3),
    "MUL": (2, 4),
    "PAD": (2, 3),
    "QUANTIZE": (2, 3),
    "RELU": (2, 2),
    "RELU6": (2, 2),
    "RELU_0_TO_1": (1, 1),
    "RELU_N1_TO_1": (1, 1),
    "RESHAPE": (1, 1),
    "SOFTMAX": (2, 3),
    "TANH": (2, 3),
}


@dataclass(frozen=True)
class Model:
    """A file, and where its values are.

    Attributes
    ----------
    content : bytes
    tensors : dict of str to int
        Number of the tensor of every value of the network.
    inputs : tuple of str
        Names of the file's inputs, in their order; it has one output.
    activation_bytes : int
        Of all tensors that are not constant.
    """

    content: bytes
    tensors: dict[str, int]
    inputs: tuple[str, ...]
    activation_bytes: int


def build_model(network: Network, batch: int) -> Model:
    """Serialize a network for batches of one size.

    Parameters
    ----------
    network : Network
        Stored as int8 or int16.
    batch : int

    Raises
    ------
    UnsupportedError
        If TensorFlow Lite has no such operator, or the schema is not installed.
    """
    return _Translation(network, batch).model()


def same_padding(size: Pair, extent: Pair, stride: Pair) -> Padding:
    """Return the padding that TensorFlow Lite's SAME stands for: the larger half is behind.

    Parameters
    ----------
    size, extent, stride : (int, int)
        Of the image, of the (dilated) window, of its steps.
    """
    parts: list[int] = []
    for length, window, step in zip(size, extent, stride, strict=True):
        total = max((-(-length // step) - 1) * step + window - length, 0)
        parts += [total // 2, total - total // 2]
    top, bottom, left, right = parts
    return top, bottom, left, right


class _Translation:
    """Walks the network; one method for each kind of node."""

    def __init__(self, network: Network, batch: int) -> None:
        self._network, self._batch = network, batch
        self._out = FlatbufferWriter()
        self._numbers: dict[str, int] = {}
        self._shapes = value_shapes(network)
        self._bytes = 0

    def model(self) -> Model:
        network = self._network
        for name, encoding in network.inputs.items():
            self._numbers[name] = self._value(name, network.shapes[name], encoding)
        for node in network.nodes:
            write = _WRITERS.get(node.operator)
            if write is None:
                raise UnsupportedError(f"TensorFlow Lite has no operator for {node.operator}")
            write(self, node)
        inputs = tuple(network.inputs)
        content = self._out.finish(
            [self._numbers[name] for name in inputs], [self._numbers[network.output]]
        )
        return Model(content, self._numbers, inputs, self._bytes)

    def _value(self, name: str, shape: tuple[int, ...], encoding: Encoding) -> int:
        whole = (self._batch, *shape)
        self._bytes += math.prod(whole) * np.dtype(encoding.dtype).itemsize
        if encoding.dtype == "float32":
            return self._out.tensor(name, whole, "float32")
        return self._out.tensor(
            name, whole, encoding.dtype, [encoding.scale], [encoding.zero_point]
        )

    def _result(self, node: Node) -> int:
        """The tensor of the node's own value."""
        shape = self._shapes[node.name]
        self._numbers[node.name] = self._value(node.name, shape, node.output)
        return self._numbers[node.name]

    def _sources(self, node: Node) -> list[int]:
        return [self._numbers[name] for name in node.inputs]

    def _operator(
        self,
        kind: str,
        dtype: str,
        inputs: list[int],
        output: int,
        options: str = "",
        **fields: int,
    ) -> None:
        version = _VERSIONS[kind][dtype == "int16"]
        self._out.operator(kind, version, inputs, output, options, **fields)

    def _encoding(self, node: Node, index: int = 0) -> Encoding:
        return self._network.encodings[node.inputs[index]]

    def _fused(self, node: Node) -> int:
        activations = self._out.schema.ActivationFunctionType
        if node.clamp is None:
            return int(activations.NONE)
        if node.clamp not in FUSED:
            raise UnsupportedError(
                f"node {node.name!r} clamps to {node.clamp}; TensorFlow Lite fuses only "
                f"{', '.join(FUSED.values())}"
            )
        return int(getattr(activations, FUSED[node.clamp]))

    def _window(self, node: Node, source: int, extent: Pair, fills: bool) -> tuple[int, int]:
        """Image and padding mode; what neither mode says becomes an operator of its own."""
        shape = self._shapes[node.inputs[0]]
        modes = self._out.schema.Padding
        if not any(node.padding):
            return source, modes.VALID
        if node.padding == same_padding((shape[0], shape[1]), extent, node.stride):
            return source, modes.SAME
        if not fills:
            raise UnsupportedError(
                f"node {node.name!r}: TensorFlow Lite pads a pooling window by SAME only, "
                f"not by {node.padding}"
            )
        top, bottom, left, right = node.padding
        amounts = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        larger = (shape[0] + top + bottom, shape[1] + left + right, shape[2])
        encoding = self._encoding(node)
        padded = self._value(f"{node.name}_padded", larger, encoding)
        pads = self._out.constant(f"{node.name}_pads", amounts)
        self._operator("PAD", encoding.dtype, [source, pads], padded, "PadOptions")
        return padded, modes.VALID

    def _parameters(self, node: Node, weight: np.ndarray, axis: int) -> list[int]:
        """Weight, its channels along `axis`, and bias."""
        scales = np.asarray(weight_of(node).scales, np.float32)
        channels = weight.shape[axis]
        wide = self._encoding(node).dtype == "int16"
        bias = np.zeros(channels) if node.bias is None else node.bias
        bias_scales = np.float32(self._encoding(node).scale) * scales
        return [
            self._out.constant(f"{node.name}_weight", weight, scales, axis=axis),
            self._out.constant(
                f"{node.name}_bias", bias.astype(np.int64 if wide else np.int32), bias_scales
            ),
        ]

    def conv(self, node: Node) -> None:
        codes = weight_of(node).codes
        kernel = (codes.shape[0], codes.shape[1])
        extent = effective_kernel(kernel, node.dilation)
        (source,) = self._sources(node)
        source, padding = self._window(node, source, extent, fills=True)
        fields = {
            "padding": padding,
            "strideH": node.stride[0],
            "strideW": node.stride[1],
            "dilationHFactor": node.dilation[0],
            "dilationWFactor": node.dilation[1],
            "fusedActivationFunction": self._fused(node),
        }
        kind, options, axis = "CONV_2D", "Conv2DOptions", 0
        if node.operator == "depthwise_conv2d":
            kind, options, axis = "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", 3
            fields["depthMultiplier"] = codes.shape[3] // self._shapes[node.inputs[0]][2]
        # Groups are implied by the sizes of image and filter.
        codes = np.moveaxis(codes, 2 if axis else 3, 0)
        operands = [source, *self._parameters(node, codes, axis)]
        output = self._result(node)
        self._operator(kind, self._encoding(node).dtype, operands, output, options, **fields)

    def dense(self, node: Node) -> None:
        operands = [*self._sources(node), *self._parameters(node, weight_of(node).codes.T, 0)]
        output = self._result(node)
        self._operator(
            "FULLY_CONNECTED",
            self._encoding(node).dtype,
            operands,
            output,
            "FullyConnectedOptions",
            fusedActivationFunction=self._fused(node),
        )

    def _requantized(self, source: int, start: Encoding, output: int) -> None:
        self._operator("QUANTIZE", start.dtype, [source], output, "QuantizeOptions")

    def _before(self, node: Node) -> int:
        """The tensor that an operator which keeps its input's encoding writes to."""
        output = self._result(node)
        start = self._encoding(node)
        if node.output == start:
            return output
        return self._value(f"{node.name}_kept", self._shapes[node.name], start)

    def _behind(self, node: Node, kept: int) -> None:
        """Change the encoding of what was kept, if the node's own is another."""
        output = self._numbers[node.name]
        if kept != output:
            self._requantized(kept, self._encoding(node), output)

    def pool(self, node: Node) -> None:
        (source,) = self._sources(node)
        source, padding = self._window(node, source, node.kernel, fills=False)
        kept = self._before(node)
        self._operator(
            "AVERAGE_POOL_2D" if node.operator == "avg_pool2d" else "MAX_POOL_2D",
            self._encoding(node).dtype,
            [source],
            kept,
            "Pool2DOptions",
            padding=padding,
            strideH=node.stride[0],
            strideW=node.stride[1],
            filterHeight=node.kernel[0],
            filterWidth=node.kernel[1],
            fusedActivationFunction=self._fused(node),
        )
        self._behind(node, kept)

    def global_avg_pool(self, node: Node) -> None:
        _unclamped(node, "MEAN")
        axes = self._out.constant(f"{node.name}_axes", np.array([1, 2], np.int32))
        output = self._result(node)
        self._operator(
            "MEAN",
            self._encoding(node).dtype,
            [*self._sources(node), axes],
            output,
            "ReducerOptions",
            keepDims=False,
        )

    def binary(self, node: Node) -> None:
        kind, options = {"add": ("ADD", "AddOptions"), "mul": ("MUL", "MulOptions")}[node.operator]
        if kind == "ADD":
            larger = max(self._encoding(node, index).scale for index in (0, 1))
            check_sum_scales(node.name, larger, node.output.scale)
        output = self._result(node)
        self._operator(
            kind,
            self._encoding(node).dtype,
            self._sources(node),
            output,
            options,
            fusedActivationFunction=self._fused(node),
        )

    def concat(self, node: Node) -> None:
        _unclamped(node, "CONCATENATION")
        sources = self._sources(node)
        for index, name in enumerate(node.inputs):
            start = self._encoding(node, index)
            if start != node.output:
                kept = self._value(f"{node.name}_{name}", self._shapes[name], node.output)
                self._requantized(sources[index], start, kept)
                sources[index] = kept
        output = self._result(node)
        self._operator(
            "CONCATENATION",
            node.output.dtype,
            sources,
            output,
            "ConcatenationOptions",
            axis=len(self._shapes[node.name]),
        )

    def unary(self, node: Node) -> None:
        output = self._result(node)
        kind, options, fields = _UNARY[node.operator]
        dtype = node.output.dtype if node.operator == "quantize" else self._encoding(node).dtype
        self._operator(kind, dtype, self._sources(node), output, options, **fields)

    def clip(self, node: Node) -> None:
        kinds = {**FUSED, (0.0, 1.0): "RELU_0_TO_1"}
        if node.clamp not in kinds:
            raise UnsupportedError(
                f"node {node.name!r} clips to {node.clamp}; TensorFlow Lite has only "
                f"{', '.join(kinds.values())}"
            )
        output = self._result(node)
        self._operator(kinds[node.clamp], self._encoding(node).dtype, self._sources(node), output)

    def flatten(self, node: Node) -> None:
        shape = np.array([self._batch, *self._shapes[node.name]], np.int32)
        operands = [*self._sources(node), self._out.constant(f"{node.name}_shape", shape)]
        kept = self._before(node)
        self._out.operator("RESHAPE", 1, operands, kept, "ReshapeOptions", newShape=shape)
        self._behind(node, kept)


def _unclamped(node: Node, kind: str) -> None:
    if node.clamp is not None:
        raise UnsupportedError(f"node {node.name!r}: {kind} has no fused activation")


_UNARY: dict[str, tuple[str, str, dict[str, int]]] = {
    "quantize": ("QUANTIZE", "QuantizeOptions", {}),
    "dequantize": ("DEQUANTIZE", "DequantizeOptions", {}),
    "relu": ("RELU", "", {}),
    "relu6": ("RELU6", "", {}),
    "sigmoid": ("LOGISTIC", "", {}),
    "tanh": ("TANH", "", {}),
    "hard_swish": ("HARD_SWISH", "HardSwishOptions", {}),
    "softmax": ("SOFTMAX", "SoftmaxOptions", {"beta": 1}),
}

_WRITERS: dict[str, Callable[[_Translation, Node], None]] = {
    "conv2d": _Translation.conv,
    "depthwise_conv2d": _Translation.conv,
    "dense": _Translation.dense,
    "max_pool2d": _Translation.pool,
    "avg_pool2d": _Translation.pool,
    "global_avg_pool": _Translation.global_avg_pool,
    "add": _Translation.binary,
    "mul": _Translation.binary,
    "concat": _Translation.concat,
    "clip": _Translation.clip,
    "flatten": _Translation.flatten,
    **dict.fromkeys(_UNARY, _Translation.unary),
}
