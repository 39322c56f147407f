"""Write a network as a quantized ONNX model (``QLinearConv`` and its relatives)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from kdq_ref.errors import UnsupportedError
from kdq_ref.geometry import Padding
from kdq_ref.verify.accumulators import weight_of
from kdq_ref.verify.network import Network, Node, code_bounds, real_bounds, value_shapes

_CONTRIB = "com.microsoft"
_TYPES = {
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "float32": TensorProto.FLOAT,
}
_SOFTMAX_OPSET = 13
_OPSET = 19
"""The reference evaluator has DequantizeLinear from here on."""


def build_model(
    network: Network,
    *,
    outputs: Iterable[str] | None = None,
    batch: int | None = None,
    contrib: bool = True,
) -> bytes:
    """Serialize a network.

    Convolutions are standard ONNX, channels first, between two transpositions of the whole model:
    ONNX Runtime rewrites them to its channels-last kernels and the transpositions vanish.
    Activations without a quantized operator stand between ``DequantizeLinear`` and
    ``QuantizeLinear``.

    Parameters
    ----------
    network : Network
    outputs : iterable of str, optional
        Values that the model returns, in our layout, under their own names; the network's output
        if not given.
    batch : int, optional
        How many samples a call takes; any number if not given.
    contrib : bool
        Whether ONNX Runtime's own operators (``com.microsoft``) may be used. Without them, what
        ONNX itself does not have is written between ``DequantizeLinear`` and ``QuantizeLinear``.

    Returns
    -------
    bytes

    Raises
    ------
    UnsupportedError
        For a network that ONNX cannot hold.
    """
    return _Writer(network, batch, contrib).model(tuple(outputs or (network.output,)))


class _Writer:
    """Collects nodes and initializers while it walks the network."""

    def __init__(self, network: Network, batch: int | None, contrib: bool) -> None:
        self._network, self._batch, self.contrib = network, batch, contrib
        self._shapes = value_shapes(network)
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        # Of every value: its name in the model, channels first where it is an image.
        self._names: dict[str, str] = {}

    def model(self, outputs: tuple[str, ...]) -> bytes:
        network = self._network
        for name, shape in network.shapes.items():
            image = len(shape) == 3
            self._names[name] = (
                self.op("Transpose", [name], f"{name}_first", perm=[0, 3, 1, 2]) if image else name
            )
        for node in network.nodes:
            inputs = [self._names[name] for name in node.inputs]
            self._names[node.name] = _WRITERS[node.operator](self, node, inputs)
        results = [self._result(name) for name in outputs]
        body = helper.make_graph(
            self._nodes,
            "network",
            [self._declared(name) for name in network.inputs],
            results,
            self._initializers,
        )
        opsets = [helper.make_opsetid("", _OPSET)]
        if self.contrib:
            opsets.append(helper.make_opsetid(_CONTRIB, 1))
        serialized: bytes = helper.make_model(
            body, opset_imports=opsets, ir_version=9
        ).SerializeToString()
        return serialized

    def _declared(self, value: str) -> Any:
        kind = _TYPES.get(self._network.encodings[value].dtype)
        if kind is None:
            raise UnsupportedError(
                f"value {value!r} is stored as {self._network.encodings[value].dtype}; the ONNX "
                f"operators that are written here take {', '.join(_TYPES)}"
            )
        return helper.make_tensor_value_info(value, kind, [self._batch, *self._shapes[value]])

    def _result(self, value: str) -> Any:
        # The value's own name is the model's input's, or not taken: nodes write to "name_y".
        if len(self._shapes[value]) == 3:
            self.op("Transpose", [self._names[value]], value, perm=[0, 2, 3, 1])
        elif value not in self._network.inputs:
            self.op("Identity", [self._names[value]], value)
        return self._declared(value)

    def op(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: np.ndarray | np.generic) -> str:
        # Not ascontiguousarray, which makes a vector of a scalar.
        self._initializers.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def params(self, value: str, prefix: str) -> list[str]:
        """Scale and zero point of a value, as constants."""
        encoding = self._network.encodings[value]
        return [
            self.constant(f"{prefix}_scale", np.float32(encoding.scale)),
            self.constant(f"{prefix}_zero", np.dtype(encoding.dtype).type(encoding.zero_point)),
        ]

    def _unary(self, node: Node, source: str) -> list[str]:
        operands = [source, *self.params(node.inputs[0], f"{node.name}_x")]
        return operands + self.params(node.name, f"{node.name}_out")

    def _weight(self, node: Node, codes: np.ndarray) -> list[str]:
        scales = weight_of(node).scales
        per_tensor = len(scales) == 1
        zero = np.int8(0) if per_tensor else np.zeros(len(scales), np.int8)
        return [
            self.constant(f"{node.name}_w", codes),
            self.constant(f"{node.name}_w_scale", scales[0] if per_tensor else scales),
            self.constant(f"{node.name}_w_zero", zero),
        ]

    def _clamped(self, node: Node, output: str) -> str:
        """Clamp the codes where the type's own saturation does not do it already."""
        if node.clamp is None:
            return output
        encoding = node.output
        low, high = code_bounds(encoding, node.clamp)
        if (low, high) == encoding.limits:
            return output
        dtype = np.dtype(encoding.dtype).type
        bounds = [
            self.constant(f"{node.name}_qmin", dtype(low)),
            self.constant(f"{node.name}_qmax", dtype(high)),
        ]
        return self.op("Clip", [output, *bounds], f"{node.name}_clamped")

    def conv(self, node: Node, inputs: list[str]) -> str:
        codes = weight_of(node).codes
        depthwise = node.operator == "depthwise_conv2d"
        operands = [inputs[0], *self.params(node.inputs[0], f"{node.name}_x")]
        operands += self._weight(node, codes.transpose(3, 2, 0, 1))
        operands += self.params(node.name, f"{node.name}_out")
        if node.bias is not None:
            operands.append(self.constant(f"{node.name}_b", node.bias))
        output = self.op(
            "QLinearConv",
            operands,
            f"{node.name}_y",
            strides=list(node.stride),
            dilations=list(node.dilation),
            pads=_pads(node.padding),
            group=self._shapes[node.inputs[0]][2] if depthwise else node.groups,
        )
        return self._clamped(node, output)

    def dense(self, node: Node, inputs: list[str]) -> str:
        operands = [inputs[0], *self.params(node.inputs[0], f"{node.name}_x")]
        result, output = self.params(node.name, f"{node.name}_out"), f"{node.name}_y"
        if node.bias is not None and node.bias.any():
            # QLinearMatMul has no bias; QGemm and, with a kernel of 1, QLinearConv have.
            if not self.contrib:
                return self._clamped(node, self._dense_by_conv(node, operands, result))
            operands += self._weight(node, weight_of(node).codes)
            operands += [self.constant(f"{node.name}_b", node.bias), *result]
            self.op("QGemm", operands, output, domain=_CONTRIB)
        else:
            operands += self._weight(node, weight_of(node).codes)
            self.op("QLinearMatMul", [*operands, *result], output)
        return self._clamped(node, output)

    def _dense_by_conv(self, node: Node, operands: list[str], result: list[str]) -> str:
        axes = self.constant(f"{node.name}_axes", np.array([2, 3], np.int64))
        operands[0] = self.op("Unsqueeze", [operands[0], axes], f"{node.name}_image")
        operands += self._weight(node, weight_of(node).codes.T[:, :, None, None])
        operands += [*result, self.constant(f"{node.name}_b", np.asarray(node.bias))]
        self.op("QLinearConv", operands, f"{node.name}_image_y")
        return self.op("Squeeze", [f"{node.name}_image_y", axes], f"{node.name}_y")

    def max_pool(self, node: Node, inputs: list[str]) -> str:
        window = {"kernel_shape": list(node.kernel), "strides": list(node.stride)}
        output = f"{node.name}_y"
        self.op("MaxPool", inputs, output, pads=_pads(node.padding), **window)
        return self._clamped(node, output)

    def avg_pool(self, node: Node, inputs: list[str]) -> str:
        window: dict[str, Any] = {
            "kernel_shape": list(node.kernel),
            "strides": list(node.stride),
            "pads": _pads(node.padding),
        }
        if not self.contrib:
            return self._in_floats(node, inputs, "AveragePool", **window)
        output = f"{node.name}_y"
        operands = self._unary(node, inputs[0])
        self.op("QLinearAveragePool", operands, output, domain=_CONTRIB, **window)
        return self._clamped(node, output)

    def global_avg_pool(self, node: Node, inputs: list[str]) -> str:
        if not self.contrib:
            return self.op(
                "Flatten", [self._in_floats(node, inputs, "GlobalAveragePool")], f"{node.name}_flat"
            )
        # Channels last, so that its transposition cancels, too.
        turned = self.op("Transpose", inputs, f"{node.name}_last", perm=[0, 2, 3, 1])
        operands, pooled = self._unary(node, turned), f"{node.name}_pooled"
        self.op("QLinearGlobalAveragePool", operands, pooled, domain=_CONTRIB, channels_last=1)
        return self._clamped(node, self.op("Flatten", [pooled], f"{node.name}_y"))

    def binary(self, node: Node, inputs: list[str]) -> str:
        kind = {"add": "Add", "mul": "Mul"}[node.operator]
        if not self.contrib:
            return self._in_floats(node, inputs, kind)
        operands = []
        for i, name in enumerate(inputs):
            operands += [name, *self.params(node.inputs[i], f"{node.name}_{i}")]
        operands += self.params(node.name, f"{node.name}_out")
        output = self.op(f"QLinear{kind}", operands, f"{node.name}_y", domain=_CONTRIB)
        return self._clamped(node, output)

    def concat(self, node: Node, inputs: list[str]) -> str:
        # Channels, or features: either way the axis behind the batch.
        if not self.contrib:
            return self._in_floats(node, inputs, "Concat", axis=1)
        operands = self.params(node.name, f"{node.name}_out")
        for i, name in enumerate(inputs):
            operands += [name, *self.params(node.inputs[i], f"{node.name}_{i}")]
        output = f"{node.name}_y"
        self.op("QLinearConcat", operands, output, domain=_CONTRIB, axis=1)
        return self._clamped(node, output)

    def sigmoid(self, node: Node, inputs: list[str]) -> str:
        if not self.contrib:
            return self._in_floats(node, inputs, "Sigmoid")
        operands = self._unary(node, inputs[0])
        return self.op("QLinearSigmoid", operands, f"{node.name}_y", domain=_CONTRIB)

    def softmax(self, node: Node, inputs: list[str]) -> str:
        axis = 1  # channels first; of vectors the only one
        if not self.contrib:
            return self._in_floats(node, inputs, "Softmax", axis=axis)
        return self.op(
            "QLinearSoftmax",
            self._unary(node, inputs[0]),
            f"{node.name}_y",
            domain=_CONTRIB,
            axis=axis,
            opset=_SOFTMAX_OPSET,
        )

    def activation(self, node: Node, inputs: list[str]) -> str:
        kinds = {"relu": "Relu", "tanh": "Tanh", "hard_swish": "HardSwish"}
        if node.operator in kinds:
            return self._in_floats(node, inputs, kinds[node.operator])
        bounds = real_bounds(node)
        ends = [
            self.constant(f"{node.name}_{end}", np.float32(bound))
            for end, bound in zip(("low", "high"), bounds, strict=True)
        ]
        return self._in_floats(node, inputs, "Clip", extra=ends)

    def quantize(self, node: Node, inputs: list[str]) -> str:
        operands = [inputs[0], *self.params(node.name, f"{node.name}_out")]
        return self.op("QuantizeLinear", operands, f"{node.name}_y")

    def dequantize(self, node: Node, inputs: list[str]) -> str:
        operands = [inputs[0], *self.params(node.inputs[0], f"{node.name}_x")]
        return self.op("DequantizeLinear", operands, f"{node.name}_y")

    def flatten(self, node: Node, inputs: list[str]) -> str:
        # Our order has the channels fastest.
        turned = inputs[0]
        if len(self._shapes[node.inputs[0]]) == 3:
            turned = self.op("Transpose", inputs, f"{node.name}_last", perm=[0, 2, 3, 1])
        return self.op("Flatten", [turned], f"{node.name}_y")

    def _in_floats(
        self,
        node: Node,
        inputs: list[str],
        kind: str,
        extra: Iterable[str] = (),
        **attributes: Any,
    ) -> str:
        """Dequantize, apply a float operator, quantize."""
        reals = []
        for i, name in enumerate(inputs):
            operands = [name, *self.params(node.inputs[i], f"{node.name}_real{i}")]
            reals.append(self.op("DequantizeLinear", operands, f"{node.name}_real{i}"))
        result = self.op(kind, [*reals, *extra], f"{node.name}_float", **attributes)
        operands = [result, *self.params(node.name, f"{node.name}_out")]
        return self._clamped_activation(node, self.op("QuantizeLinear", operands, f"{node.name}_y"))

    def _clamped_activation(self, node: Node, output: str) -> str:
        # The clamp of clip is the operator itself.
        return output if node.operator == "clip" else self._clamped(node, output)


def _pads(padding: Padding) -> list[int]:
    top, bottom, left, right = padding
    return [top, left, bottom, right]


_WRITERS: dict[str, Callable[[_Writer, Node, list[str]], str]] = {
    "quantize": _Writer.quantize,
    "dequantize": _Writer.dequantize,
    "dense": _Writer.dense,
    "conv2d": _Writer.conv,
    "depthwise_conv2d": _Writer.conv,
    "max_pool2d": _Writer.max_pool,
    "avg_pool2d": _Writer.avg_pool,
    "global_avg_pool": _Writer.global_avg_pool,
    "add": _Writer.binary,
    "mul": _Writer.binary,
    "concat": _Writer.concat,
    "relu": _Writer.activation,
    "relu6": _Writer.activation,
    "clip": _Writer.activation,
    "sigmoid": _Writer.sigmoid,
    "tanh": _Writer.activation,
    "hard_swish": _Writer.activation,
    "softmax": _Writer.softmax,
    "flatten": _Writer.flatten,
}
