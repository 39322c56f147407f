"""The fake-quantized network: integers carried by floats, exact, at the speed of BLAS.

A float32 product and sum of integers is exact as long as every partial sum stays below ``2**24`` in
magnitude, a float64 one below ``2**53``, in whatever order it is summed. The bound proven from the
weights says which of the two a layer needs. So this *is* the integer network, computed another way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kdq_ref import functional, intref, nn
from kdq_ref.infer import IntGraph, IntNode, Op, accumulator_bounds
from kdq_ref.infer.execution import run_in_parts, trace
from kdq_ref.operands import Shape
from kdq_ref.quant.lowering import lower
from kdq_ref.quant.spec import QuantSpec
from kdq_ref.rounding import Constants, Requant, Rule

_FLOAT32_EXACT = 2**24
_WORKING_SET = 1 << 17
"""Elements of the largest value that go through the network at once (int64 then fills a cache)."""

Execute = Callable[..., np.ndarray]


class FakeQuantGraph:
    """A quantized network, run in floats.

    Parameters
    ----------
    graph : IntGraph
        The integer network that this one equals, bit for bit and value by value.

    Attributes
    ----------
    graph : IntGraph
    """

    def __init__(self, graph: IntGraph) -> None:
        self.graph = graph
        shapes = graph.shapes
        self._execute = {
            node.name: _EXECUTORS[node.op.kind](node.op, shapes[node.inputs[0]], shapes[node.name])
            for node in graph.nodes
        }
        self._images = max(1, _WORKING_SET // max(int(np.prod(s)) for s in shapes.values()))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the output as real numbers : (B, *output_shape) float32.

        Parameters
        ----------
        x : (B, *input_shape) float32 or int8 ndarray
            Real values (finite), or codes already quantized with the input's scale.

        Raises
        ------
        DTypeError, ShapeError, NotFiniteError
        """
        return self._real(self.graph.output, self.codes(x))

    def codes(self, x: np.ndarray) -> np.ndarray:
        """Return the output's codes : (B, *output_shape) int8 (``x`` as for calling)."""
        return run_in_parts(self.graph, x, self._images, self._apply)

    def values(self, x: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Yield every value as ``(name, float32 array)``, comparable with ``Graph.values``."""
        for name, codes in self.trace(x):
            yield name, self._real(name, codes)

    def trace(self, x: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Yield every value as ``(name, int8 codes)``, the quantized input first."""
        return trace(self.graph, x, self._apply)

    def _apply(self, node: IntNode, *codes: np.ndarray) -> np.ndarray:
        return self._execute[node.name](*codes)

    def _real(self, name: str, codes: np.ndarray) -> np.ndarray:
        scale, zero_point = self.graph.quantization(name)
        return intref.dequantize(codes, scale=scale, zero_point=zero_point)


def fake_quantize(
    graph: nn.Graph, spec: QuantSpec, rule: str | Rule = "single_rounding"
) -> FakeQuantGraph:
    """Return the quantized form of a float network, run in floats.

    Parameters
    ----------
    graph : Graph
        Without batch norm and dropout.
    spec : QuantSpec
    rule : str or Rule

    Returns
    -------
    FakeQuantGraph
        Equal to ``lower(graph, spec, rule)`` in every bit of every value.

    Raises
    ------
    InvalidArgumentError, AccumulatorOverflowError, GraphError, NotFiniteError
        As :func:`kdq_ref.quant.lower`.
    """
    return FakeQuantGraph(lower(graph, spec, rule))


def _centred(codes: np.ndarray, zero_point: int, dtype: Any) -> np.ndarray:
    x = codes.astype(dtype)
    x -= zero_point
    return x


def exact_dtype(bound: int) -> type:
    """Return the cheaper float type in which integer sums up to ``bound`` in size are exact."""
    return np.float32 if bound < _FLOAT32_EXACT else np.float64


def _requantizer(requant: Requant, shape: Shape) -> Callable[[np.ndarray], np.ndarray]:
    """Apply ``requant`` to batches of ``shape``, seen as long rows: (W * C) instead of C."""
    row = shape[-1] if len(shape) < 3 else shape[-2] * shape[-1]
    old = requant.constants
    if old.channels != 1:
        repeats = row // shape[-1]
        constants = Constants(**{k: np.tile(v, repeats) for k, v in vars(old).items()})
        requant = Requant(requant.rule, constants, requant.zero_point, requant.qmin, requant.qmax)
    return lambda acc: requant.apply(acc.reshape(-1, row)).reshape(acc.shape)


def _affine(op: Any, source: Shape, shape: Shape) -> Execute:
    _, partial = accumulator_bounds(op.weight, op.bias, op.x_zero_point)
    dtype = exact_dtype(int(partial.max()))
    weight, bias = op.weight.astype(dtype), op.bias.astype(dtype)
    own = ("weight", "bias", "x_zero_point", "requant")
    geometry = {name: value for name, value in op.keywords().items() if name not in own}
    forward = getattr(functional, f"{op.kind}_forward")
    finish = _requantizer(op.requant, shape)

    def execute(codes: np.ndarray) -> np.ndarray:
        acc, _ = forward(_centred(codes, op.x_zero_point, dtype), weight, bias, **geometry)
        return finish(acc)

    return execute


def _avg_pool2d(op: Any, source: Shape, shape: Shape) -> Execute:
    # A sum over windows is a depthwise convolution with ones.
    dtype = exact_dtype(255 * op.kernel[0] * op.kernel[1])
    ones = np.ones((*op.kernel, 1, source[-1]), dtype)
    finish = _requantizer(op.requant, shape)

    def execute(codes: np.ndarray) -> np.ndarray:
        x = _centred(codes, op.x_zero_point, dtype)
        acc, _ = functional.depthwise_conv2d_forward(x, ones, stride=op.stride, padding=op.padding)
        return finish(acc)

    return execute


def _global_avg_pool(op: Any, source: Shape, shape: Shape) -> Execute:
    dtype = exact_dtype(255 * source[0] * source[1])
    finish = _requantizer(op.requant, shape)
    return lambda codes: finish(_centred(codes, op.x_zero_point, dtype).sum(axis=(1, 2)))


def _max_pool2d(op: Any, source: Shape, shape: Shape) -> Execute:
    def execute(codes: np.ndarray) -> np.ndarray:
        y, _ = functional.max_pool2d_forward(codes.astype(np.float32), **op.keywords())
        return y.astype(np.int8)

    return execute


def _add(op: Any, source: Shape, shape: Shape) -> Execute:
    finish = _requantizer(op.requant, shape)

    def execute(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        acc = _centred(a, op.a_zero_point, np.float64) * op.a_multiplier
        acc += _centred(b, op.b_zero_point, np.float64) * op.b_multiplier
        return finish(acc)

    return execute


def _lookup(op: Any, source: Shape, shape: Shape) -> Execute:
    # Bytes seen as unsigned count 0..127, -128..-1.
    table = np.roll(op.table, -128)
    return lambda codes: table[codes.view(np.uint8)]


def _flatten(op: Op, source: Shape, shape: Shape) -> Execute:
    return lambda codes: codes.reshape(len(codes), *shape)


_EXECUTORS: dict[str, Callable[[Any, Shape, Shape], Execute]] = {
    "dense": _affine,
    "conv2d": _affine,
    "depthwise_conv2d": _affine,
    "avg_pool2d": _avg_pool2d,
    "global_avg_pool": _global_avg_pool,
    "max_pool2d": _max_pool2d,
    "add": _add,
    "lookup": _lookup,
    "flatten": _flatten,
}
