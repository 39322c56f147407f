"""PyTorch's eager quantized operators, with the engines FBGEMM, oneDNN and QNNPACK.

uint8 activations, int8 weights, one operator call after the other. Their bias is a float:
``float32(bias * s_x * s_w)`` from the network's integers.
"""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.accumulators import weight_of
from kdq_ref.verify.network import Encoding, Network, Node, real_bias, real_bounds, value_shapes

_RELU = (0.0, float("inf"))
_INT32_LANES = 8
"""Of an AVX2 register."""

Operator = Callable[..., Any]
"""Quantized tensors, channels first, to one."""


class PyTorch:
    """One engine, with one thread.

    Attributes
    ----------
    name, package : str
        See :class:`~kdq_ref.verify.oracle.Oracle`.
    engine : str
        What ``torch.backends.quantized.engine`` is set to.
    """

    package = "torch"

    def __init__(self, name: str) -> None:
        self.name = name
        self.engine = name.removeprefix("pytorch-")

    def version(self) -> str | None:
        """Version of the installed torch, or None; also where this build lacks the engine."""
        try:
            version = importlib.metadata.version("torch")
        except importlib.metadata.PackageNotFoundError:
            return None
        import torch

        return version if self.engine in torch.backends.quantized.supported_engines else None

    def prepare(self, network: Network) -> list[tuple[Node, Operator]]:
        """Pack the weights of every node; :meth:`active` must hold here, and when they are called.

        Raises
        ------
        UnsupportedError
            For what these operators cannot do.
        """
        shapes = value_shapes(network)
        for name, encoding in network.encodings.items():
            if encoding.dtype not in ("uint8", "float32"):
                raise UnsupportedError(f"{self.name} stores activations as uint8, {name!r} is not")
        return [(node, _BUILDERS[node.operator](network, node, shapes)) for node in network.nodes]

    @contextmanager
    def active(self, threads: int = 1) -> Iterator[None]:
        """Make this engine the one that packs and computes, without gradients."""
        import torch

        before = torch.backends.quantized.engine, torch.get_num_threads()
        torch.backends.quantized.engine = self.engine
        torch.set_num_threads(threads)
        try:
            with torch.no_grad(), warnings.catch_warnings():
                # The operators are to leave PyTorch one day; the extra pins one that has them.
                warnings.filterwarnings("ignore", message=".*quantized tensor creation functions")
                yield
        finally:
            torch.backends.quantized.engine = before[0]
            torch.set_num_threads(before[1])

    def run(self, network: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the codes of every node.

        Raises
        ------
        UnsupportedError
            If there is no such operator, or it refuses the operands.
        """
        with self.active():
            values = {
                name: as_tensor(inputs[name], encoding) for name, encoding in network.inputs.items()
            }
            try:
                for node, operator in self.prepare(network):
                    values[node.name] = operator(*(values[name] for name in node.inputs))
            except RuntimeError as fault:
                if isinstance(fault, UnsupportedError):
                    raise
                raise UnsupportedError(f"{self.name}: {str(fault).splitlines()[0]}") from fault
            return {node.name: as_codes(values[node.name]) for node in network.nodes}


def as_tensor(codes: np.ndarray, encoding: Encoding) -> Any:
    """A quantized (or real) tensor, channels first, in channels-last memory."""
    import torch

    tensor = torch.from_numpy(np.ascontiguousarray(codes))
    if tensor.ndim == 4:
        tensor = tensor.permute(0, 3, 1, 2)
    if encoding.dtype != "float32":
        tensor = torch._make_per_tensor_quantized_tensor(
            tensor, encoding.scale, encoding.zero_point
        )
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def as_codes(tensor: Any) -> np.ndarray:
    """Codes (or reals) of a tensor, channels last."""
    plain = tensor.int_repr() if tensor.is_quantized else tensor
    if plain.ndim == 4:
        plain = plain.permute(0, 2, 3, 1)
    codes: np.ndarray = plain.contiguous().numpy()
    return codes


def _packable(network: Network, node: Node, codes: np.ndarray) -> tuple[Any, Any]:
    """Weight : (O, ...) quantized per channel or per tensor, and bias."""
    import torch

    scales, tensor = weight_of(node).scales, torch.from_numpy(np.ascontiguousarray(codes))
    if len(scales) == 1:
        weight = torch._make_per_tensor_quantized_tensor(tensor, float(scales[0]), 0)
    else:
        zeros = torch.zeros(len(codes), dtype=torch.int64)
        real = torch.from_numpy(scales.astype(np.float64))
        weight = torch._make_per_channel_quantized_tensor(tensor, real, zeros, 0)
    bias = real_bias(network, node)
    return weight, None if bias is None else torch.from_numpy(bias)


def _output(node: Node) -> tuple[float, int]:
    return node.output.scale, node.output.zero_point


def _fused(node: Node, name: str) -> tuple[Operator, Operator]:
    """The operator, with its ReLU where that is the clamp, and what clamps behind it."""
    import torch

    plain = getattr(torch.ops.quantized, name)
    if node.clamp is None:
        return plain, lambda y: y
    if node.clamp == _RELU:
        return getattr(torch.ops.quantized, f"{name}_relu"), lambda y: y
    low, high = node.clamp
    return plain, lambda y: _clamp(y, low, high)


def _clamp(y: Any, low: float, high: float) -> Any:
    """Clamp as vectors: QNNPACK of torch 2.13 garbles images in channels-last memory."""
    import torch

    if y.ndim != 4:
        return torch.clamp(y, low, high)
    last = y.permute(0, 2, 3, 1).contiguous()
    clamped = torch.clamp(last.reshape(-1, last.shape[-1]), low, high)
    return clamped.reshape(last.shape).permute(0, 3, 1, 2)


def _dense(network: Network, node: Node, shapes: dict[str, tuple[int, ...]]) -> Operator:
    import torch

    run, clamp = _fused(node, "linear")
    packed = torch.ops.quantized.linear_prepack(*_packable(network, node, weight_of(node).codes.T))
    return lambda x: clamp(run(x, packed, *_output(node)))


def _symmetric(node: Node) -> tuple[int, int]:
    top, bottom, left, right = node.padding
    if (top, left) != (bottom, right):
        raise UnsupportedError(f"padding must be equal on both sides, got {node.padding}")
    return top, left


def _conv(network: Network, node: Node, shapes: dict[str, tuple[int, ...]]) -> Operator:
    import torch

    run, clamp = _fused(node, "conv2d")
    weight, bias = _packable(network, node, weight_of(node).codes.transpose(3, 2, 0, 1))
    channels = shapes[node.inputs[0]][2]
    groups = channels if node.operator == "depthwise_conv2d" else node.groups
    if torch.backends.quantized.engine == "fbgemm":
        _refuse_overrun(node, groups, channels // groups)
    geometry = (list(node.stride), list(_symmetric(node)), list(node.dilation), groups)
    packed = torch.ops.quantized.conv2d_prepack(weight, bias, *geometry)
    return lambda x: clamp(run(x, packed, *_output(node)))


def _refuse_overrun(node: Node, groups: int, channels: int) -> None:
    """Refuse what makes FBGEMM of torch 2.13 write behind its buffers, and then abort.

    Its kernel for 3x3 convolutions of small groups takes several groups at once, as many as fill a
    register of int32 (``PackWeightMatrixForGConv::numOfGroupsTogether``), and the last ones may be
    fewer. Seen with 3 groups of 4 channels, stride 2, padding 1, on 5x3: a corrupted heap.
    """
    together = _INT32_LANES // channels
    kernel = weight_of(node).codes.shape[:2]
    if (
        channels in (2, 4)
        and weight_of(node).codes.shape[3] == channels * groups
        and (kernel, node.dilation, node.padding) == ((3, 3), (1, 1), (1, 1, 1, 1))
        and node.stride in ((1, 1), (2, 2))
        and groups >= together
        and groups % together
    ):
        raise UnsupportedError(
            f"FBGEMM's kernel for 3x3 convolutions of {channels} channels a group corrupts memory "
            f"for {groups} groups, which is no multiple of {together}"
        )


def _same_encoding(network: Network, node: Node) -> None:
    source = network.encodings[node.inputs[0]]
    if source != node.output:
        raise UnsupportedError(
            f"{node.operator} keeps the scale and zero point of its input {source}; "
            f"asked for {node.output}"
        )


def _pool(network: Network, node: Node, shapes: dict[str, tuple[int, ...]]) -> Operator:
    import torch

    _same_encoding(network, node)
    kernel, stride, padding = list(node.kernel), list(node.stride), list(_symmetric(node))
    if node.operator == "max_pool2d":
        return lambda x: torch.nn.functional.max_pool2d(x, kernel, stride, padding)
    return lambda x: torch.nn.functional.avg_pool2d(
        x, kernel, stride, padding, count_include_pad=False
    )


def _global_avg_pool(network: Network, node: Node, shapes: dict[str, tuple[int, ...]]) -> Operator:
    import torch

    _same_encoding(network, node)
    return lambda x: torch.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)


def _binary(network: Network, node: Node, shapes: dict[str, tuple[int, ...]]) -> Operator:
    run, clamp = _fused(node, node.operator)
    return lambda a, b: clamp(run(a, b, *_output(node)))


def _concat(network: Network, node: Node, shapes: dict[str, tuple[int, ...]]) -> Operator:
    import torch

    # Channels, or features: either way the axis behind the batch.
    return lambda *parts: torch.ops.quantized.cat(list(parts), 1, *_output(node))


def _activation(network: Network, node: Node, shapes: dict[str, tuple[int, ...]]) -> Operator:
    import torch

    if node.operator == "softmax":
        return lambda x: torch.ops.quantized.softmax(x, 1, *_output(node))
    if node.operator in ("sigmoid", "hard_swish"):
        run = getattr(torch.ops.quantized, node.operator.replace("_", ""))
        return lambda x: run(x, *_output(node))
    if node.operator == "tanh":
        if node.output != Encoding("uint8", 1 / 128, 128):
            raise UnsupportedError("tanh has the output scale 1/128 and zero point 128")
        return lambda x: torch.tanh(x)
    _same_encoding(network, node)
    if node.operator == "relu":
        return lambda x: torch.relu(x)
    low, high = real_bounds(node)
    return lambda x: torch.clamp(x, low, high)


def _quantize(network: Network, node: Node, shapes: dict[str, tuple[int, ...]]) -> Operator:
    import torch

    return lambda x: torch.quantize_per_tensor(x, *_output(node), torch.quint8)


def _dequantize(network: Network, node: Node, shapes: dict[str, tuple[int, ...]]) -> Operator:
    return lambda x: x.dequantize()


def _flatten(network: Network, node: Node, shapes: dict[str, tuple[int, ...]]) -> Operator:
    if len(shapes[node.inputs[0]]) == 1:
        return lambda x: x
    # Our order has the channels fastest.
    return lambda x: x.permute(0, 2, 3, 1).flatten(1)


_BUILDERS: dict[str, Callable[[Network, Node, dict[str, tuple[int, ...]]], Operator]] = {
    "quantize": _quantize,
    "dequantize": _dequantize,
    "dense": _dense,
    "conv2d": _conv,
    "depthwise_conv2d": _conv,
    "max_pool2d": _pool,
    "avg_pool2d": _pool,
    "global_avg_pool": _global_avg_pool,
    "add": _binary,
    "mul": _binary,
    "concat": _concat,
    "relu": _activation,
    "relu6": _activation,
    "clip": _activation,
    "sigmoid": _activation,
    "tanh": _activation,
    "hard_swish": _activation,
    "softmax": _activation,
    "flatten": _flatten,
}

ORACLES = {name: PyTorch(name) for name in ("pytorch-fbgemm", "pytorch-onednn", "pytorch-qnnpack")}
