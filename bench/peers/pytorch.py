"""PyTorch's eager quantized operators, with the engines FBGEMM and oneDNN.

uint8 activations, int8 weights per channel, weights packed beforehand, one operator call after the
other; a network pays Python between operators, as it does in eager mode. Its outputs are allocated
by PyTorch: these operators offer nothing else.

Their bias is a float. Average pooling keeps the scale of its input.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bench.models import Model, Problem
from bench.peers import Runner, Unavailable, Unsupported
from kdq_ref import nn
from kdq_ref.infer import IntNode

_OPS = torch.ops.quantized
# These operators are to leave PyTorch one day; the extra in pyproject.toml pins one that has them.
warnings.filterwarnings("ignore", message=".*quantized tensor creation functions")

Operator = Callable[..., Any]


class PyTorch:
    """One engine."""

    version = torch.__version__

    def __init__(self, name: str) -> None:
        self.name = name
        self._engine = name.removeprefix("torch-")
        if self._engine not in torch.backends.quantized.supported_engines:
            raise Unavailable(f"this build of torch has no engine {self._engine!r}")

    def prepare(self, problem: Problem, threads: int) -> Runner:
        """Pack the weights and chain the operators."""
        torch.set_grad_enabled(False)
        torch.set_num_threads(threads)
        # Packing decides which engine an operator uses from then on.
        torch.backends.quantized.engine = self._engine
        model, graph = problem.model, problem.model.reference
        notes: set[str] = set()
        steps: list[tuple[str, Operator, tuple[str, ...]]] = []
        for node in graph.nodes:
            build = _BUILDERS.get(node.op.kind)
            if build is None:
                raise Unsupported(f"no quantized operator for {node.op.kind}")
            steps.append((node.name, build(model, node, notes), node.inputs))
        x = _input(problem)

        if len(steps) == 1:
            operator = steps[0][1]

            def call() -> Any:
                return operator(x)

        else:

            def call() -> Any:
                values = {"input": x}
                for name, operator, inputs in steps:
                    values[name] = operator(*(values[name] for name in inputs))
                return values[graph.output]

        def codes() -> np.ndarray:
            result = call().int_repr()
            if result.ndim == 4:
                result = result.permute(0, 2, 3, 1)
            return (result.numpy().astype(np.int16) - 128).astype(np.int8)

        return Runner(call, codes, "; ".join(sorted(notes)))


def peer(name: str) -> PyTorch:
    """Return the engine of that name."""
    return PyTorch(name)


def _input(problem: Problem) -> Any:
    graph = problem.model.reference
    x = torch.from_numpy((problem.codes.astype(np.int16) + 128).astype(np.uint8))
    if x.ndim == 4:
        x = x.permute(0, 3, 1, 2)
    quantized = torch._make_per_tensor_quantized_tensor(
        x, graph.input_scale, graph.input_zero_point + 128
    )
    if quantized.ndim == 4:
        quantized = quantized.contiguous(memory_format=torch.channels_last)
    return quantized


def _output(model: Model, node: IntNode) -> tuple[float, int]:
    return node.scale, node.zero_point + 128


def _clamps_at_zero(node: IntNode) -> bool:
    """Whether a ReLU is needed; where zero is the smallest code, saturation is one."""
    requant: Any = node.op.keywords()["requant"]
    if requant.qmax != 127:
        raise Unsupported("no clamp from above in the quantized operators")
    if requant.qmin not in (-128, requant.zero_point):
        raise Unsupported("no clamp from below but at zero")
    return bool(requant.qmin != -128)


def _packable(model: Model, node: IntNode, weight: np.ndarray) -> tuple[Any, Any]:
    """Weight : (O, ...) per channel, bias : (O,) float."""
    op: Any = node.op
    scales = np.broadcast_to(model.weight_scales[node.name], (len(weight),)).astype(np.float64)
    quantized = torch._make_per_channel_quantized_tensor(
        torch.from_numpy(np.ascontiguousarray(weight)),
        torch.from_numpy(scales),
        torch.zeros(len(weight), dtype=torch.int64),
        0,
    )
    input_scale, _ = model.reference.quantization(node.inputs[0])
    return quantized, torch.from_numpy((op.bias * (input_scale * scales)).astype(np.float32))


def _dense(model: Model, node: IntNode, notes: set[str]) -> Operator:
    op: Any = node.op
    run = _OPS.linear_relu if _clamps_at_zero(node) else _OPS.linear
    packed = _OPS.linear_prepack(*_packable(model, node, op.weight.T))
    scale, zero_point = _output(model, node)
    return lambda x: run(x, packed, scale, zero_point)


def _conv(model: Model, node: IntNode, notes: set[str]) -> Operator:
    op: Any = node.op
    top, bottom, left, right = op.padding
    if (top, left) != (bottom, right):
        raise Unsupported("padding must be symmetric")
    groups = op.groups if op.kind == "conv2d" else model.reference.shapes[node.inputs[0]][2]
    run = _OPS.conv2d_relu if _clamps_at_zero(node) else _OPS.conv2d
    weight, bias = _packable(model, node, op.weight.transpose(3, 2, 0, 1))
    geometry = (list(op.stride), [top, left], list(op.dilation), groups)
    packed = _OPS.conv2d_prepack(weight, bias, *geometry)
    scale, zero_point = _output(model, node)
    return lambda x: run(x, packed, scale, zero_point)


def _max_pool(model: Model, node: IntNode, notes: set[str]) -> Operator:
    op: Any = node.op
    top, bottom, left, right = op.padding
    if (top, left) != (bottom, right):
        raise Unsupported("padding must be symmetric")
    kernel, stride, padding = list(op.kernel), list(op.stride), [top, left]
    return lambda x: _OPS.max_pool2d(x, kernel, stride, padding, [1, 1], False)


def _avg_pool(model: Model, node: IntNode, notes: set[str]) -> Operator:
    op: Any = node.op
    if any(op.padding) or _clamps_at_zero(node):
        raise Unsupported("padded or clamped average pooling")
    notes.add("average pooling keeps its input's scale")
    kernel, stride = list(op.kernel), list(op.stride)
    return lambda x: torch.nn.functional.avg_pool2d(x, kernel, stride)


def _global_avg_pool(model: Model, node: IntNode, notes: set[str]) -> Operator:
    _clamps_at_zero(node)
    notes.add("average pooling keeps its input's scale")
    return lambda x: torch.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)


def _add(model: Model, node: IntNode, notes: set[str]) -> Operator:
    run = _OPS.add_relu if _clamps_at_zero(node) else _OPS.add
    scale, zero_point = _output(model, node)
    return lambda a, b: run(a, b, scale, zero_point)


def _lookup(model: Model, node: IntNode, notes: set[str]) -> Operator:
    layer = model.layers[node.name]
    if not isinstance(layer, nn.HardSwish):
        raise Unsupported(f"no quantized operator was written for {type(layer).__name__}")
    scale, zero_point = _output(model, node)
    return lambda x: _OPS.hardswish(x, scale, zero_point)


def _flatten(model: Model, node: IntNode, notes: set[str]) -> Operator:
    if len(model.reference.shapes[node.inputs[0]]) == 1:
        return lambda x: x
    # Our order has the channels fastest.
    return lambda x: x.permute(0, 2, 3, 1).flatten(1)


_BUILDERS: dict[str, Callable[[Model, IntNode, set[str]], Operator]] = {
    "dense": _dense,
    "conv2d": _conv,
    "depthwise_conv2d": _conv,
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
    "global_avg_pool": _global_avg_pool,
    "add": _add,
    "lookup": _lookup,
    "flatten": _flatten,
}
