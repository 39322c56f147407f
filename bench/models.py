"""From a case's description to integers that every runtime can be given."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from bench import networks
from bench.cases import CONV_BATCHES, SCALING_BATCH, Case, Conv, Gemm
from kdq_ref import infer, intref, nn, quant
from kdq_ref.rounding import Requant, float32_rne, get_rule
from kdq_ref.verify.int_network import network_of
from kdq_ref.verify.network import Network

_INPUT_SCALE, _INPUT_ZERO_POINT, _OUTPUT_ZERO_POINT = float(np.float32(0.02)), 3, -5
_SPREAD = 40
"""Standard deviation of a product's output codes: few of them saturate."""


@dataclass(frozen=True, eq=False)
class Model:
    """One integer network (a product or a convolution is a network of one node), and inputs.

    Attributes
    ----------
    graph : IntGraph
        With the rule we are timed with.
    reference : IntGraph
        The same scales and integers under ``float32_rne``: what the peers should compute.
    float_graph : nn.Graph
        The network before it was quantized, batch norm folded.
    codes : (B, *input_shape) int8 ndarray
        Inputs for the largest batch.
    """

    graph: infer.IntGraph
    reference: infer.IntGraph
    float_graph: nn.Graph
    codes: np.ndarray

    @cached_property
    def network(self) -> Network:
        """What the peers are given: integers and scales, stored as int8.

        Raises
        ------
        UnsupportedError
            For what only we have.
        """
        return network_of(self.reference)

    @cached_property
    def expected(self) -> np.ndarray:
        """Our output codes by the NumPy specification."""
        return infer.run(self.graph, self.codes)

    @cached_property
    def expected_reference(self) -> np.ndarray:
        """The peers' output codes by the NumPy specification."""
        if self.graph.rule is float32_rne:
            return self.expected
        return infer.run(self.reference, self.codes)


@dataclass(frozen=True, eq=False)
class Problem:
    """A model at one batch size.

    Attributes
    ----------
    name, group : str
    model : Model
    batch : int
    """

    name: str
    group: str
    model: Model
    batch: int

    @property
    def codes(self) -> np.ndarray:
        """Inputs : (batch, *input_shape) int8."""
        return self.model.codes[: self.batch]

    @property
    def expected(self) -> np.ndarray:
        """Our outputs : (batch, *output_shape) int8."""
        return self.model.expected[: self.batch]

    @property
    def expected_reference(self) -> np.ndarray:
        """The peers' outputs : (batch, *output_shape) int8."""
        return self.model.expected_reference[: self.batch]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole batch."""
        return self.batch * self.model.graph.macs()


def build(case: Case, rule: str) -> Problem:
    """Make a case's integers; the same ones each time."""
    if isinstance(case, Gemm):
        return Problem(case.name, case.group, _gemm(case, rule), case.m)
    if isinstance(case, Conv):
        # One model for all batches: the specification is the slowest part of a measurement.
        shape = (case.h, case.w, case.c_in, case.c_out, case.kernel, case.stride)
        return Problem(case.name, case.group, _conv(case.group, shape, rule), case.batch)
    return Problem(case.name, case.group, _network(case.network, rule), case.batch)


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def _gemm(case: Gemm, rule: str) -> Model:
    rng = _rng(f"{case.name} {case.limit}")
    weight = _weights(rng, (case.k, case.n), case.limit)
    # Without bias: ONNX's QLinearMatMul has none.
    bias = np.zeros(case.n, np.int32)
    layer = nn.Dense(case.k, case.n, rng=rng)
    return _single((case.k,), infer.Dense, {}, weight, bias, layer, rng, case.m, rule)


@lru_cache(maxsize=1)
def _conv(group: str, shape: tuple[int, ...], rule: str) -> Model:
    case = Conv(group, *shape)
    rng = _rng(f"{group} {shape}")
    c_in = 1 if case.depthwise else case.c_in
    kernel = (case.kernel, case.kernel)
    weight = _weights(rng, (*kernel, c_in, case.c_out), 127)
    bias = rng.integers(-20_000, 20_001, case.c_out).astype(np.int32)
    geometry = {"stride": (case.stride, case.stride), "padding": (case.kernel // 2,) * 4}
    layer: nn.Layer
    if case.depthwise:
        layer = nn.DepthwiseConv2d(case.c_in, kernel, stride=case.stride, rng=rng)
    else:
        layer = nn.Conv2d(case.c_in, case.c_out, kernel, stride=case.stride, rng=rng)
    op = infer.DepthwiseConv2d if case.depthwise else infer.Conv2d
    size, batch = (case.h, case.w, case.c_in), max(CONV_BATCHES)
    return _single(size, op, geometry, weight, bias, layer, rng, batch, rule)


def _weights(rng: np.random.Generator, shape: tuple[int, ...], limit: int) -> np.ndarray:
    return rng.integers(-limit, limit + 1, shape).astype(np.int8)


def _single(
    input_shape: tuple[int, ...],
    op: Any,
    geometry: dict[str, Any],
    weight: np.ndarray,
    bias: np.ndarray,
    layer: nn.Layer,
    rng: np.random.Generator,
    batch: int,
    rule: str,
) -> Model:
    """A network of one affine node, inputs drawn from all of int8."""
    scales = rng.uniform(1e-3, 3e-3, len(bias)).astype(np.float32)
    codes = rng.integers(-128, 128, (batch, *input_shape)).astype(np.int8)
    inputs = weight[..., 0].size  # of one output
    deviation = math.sqrt(inputs * np.var(weight.astype(np.float64)) * np.var(codes.astype(float)))
    scale = float(np.float32(_INPUT_SCALE * scales.mean() * deviation / _SPREAD))

    def graph(rule: Any) -> infer.IntGraph:
        constants = rule.constants(_INPUT_SCALE, scales, scale)
        node = op(
            weight=weight,
            bias=bias,
            x_zero_point=_INPUT_ZERO_POINT,
            requant=Requant(rule, constants, _OUTPUT_ZERO_POINT),
            **geometry,
        )
        return infer.IntGraph(
            input_shape=input_shape,
            input_scale=_INPUT_SCALE,
            input_zero_point=_INPUT_ZERO_POINT,
            nodes=(infer.IntNode("y", node, ("input",), scale, _OUTPUT_ZERO_POINT),),
            output="y",
            rule=rule,
        )

    layer.params["w"][...] = weight * scales
    layer.params["b"][...] = bias * (_INPUT_SCALE * scales)
    return Model(
        graph=graph(get_rule(rule)),
        reference=graph(float32_rne),
        float_graph=nn.Sequential(input_shape, [("y", layer)]),
        codes=codes,
    )


@lru_cache(maxsize=8)
def _network(name: str, rule: str) -> Model:
    rng = _rng(name)
    folded = quant.fold_batch_norm(networks.build(name, rng))
    images = networks.images(folded.input_shape, SCALING_BATCH, rng)
    spec = quant.calibrate(folded, images[:64])
    graph = quant.lower(folded, spec, rule)
    return Model(
        graph=graph,
        reference=quant.lower(folded, spec, float32_rne),
        float_graph=folded,
        codes=intref.quantize(images, scale=graph.input_scale, zero_point=graph.input_zero_point),
    )
