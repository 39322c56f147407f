"""Lowering: the one bridge from float networks to integer networks.

Every decision about an integer network is taken here: fused clamps, integer weights, multipliers,
tables. What runs it (the NumPy specification, the C engine, the fake-quantized network) only
computes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdq_ref import infer, intref, nn
from kdq_ref.errors import AccumulatorOverflowError, InvalidArgumentError, ShapeError
from kdq_ref.infer import IntGraph, IntNode, Op
from kdq_ref.nn.activation import Activation
from kdq_ref.nn.topology import INPUT
from kdq_ref.operands import MAX_ADD_MULTIPLIER
from kdq_ref.quant.schemes import QuantParams, quantize_bias, quantize_weights
from kdq_ref.quant.spec import QuantSpec
from kdq_ref.quant.stages import Stage, split_stages
from kdq_ref.rounding import Requant, Rule, get_rule


def lower(
    graph: nn.Graph,
    spec: QuantSpec,
    rule: str | Rule = "single_rounding",
    *,
    source_digest: str = "",
    metadata: dict[str, Any] | None = None,
) -> IntGraph:
    """Turn a float network into an integer network.

    Parameters
    ----------
    graph : Graph
        Without batch norm and dropout.
    spec : QuantSpec
        From :func:`kdq_ref.quant.calibrate` of this graph.
    rule : str or Rule
        How accumulators are rounded.
    source_digest, metadata
        Travel with the integer network.

    Returns
    -------
    IntGraph
        A node is called like the float node whose value it holds.

    Raises
    ------
    InvalidArgumentError
        If the spec belongs to another network, or its scales are useless (see the message).
    AccumulatorOverflowError
        If a channel's accumulator, or its bias, cannot be proven to stay inside int32.
    GraphError
        For layers without an integer form.
    NotFiniteError
        For weights that are NaN or infinite.
    """
    chosen = get_rule(rule)
    stages = split_stages(graph)
    _check_spec(spec, stages)
    shapes = graph.shapes()
    params = {INPUT: spec.activations[INPUT]}
    nodes = []
    for stage in stages:
        sources = tuple(params[name] for name in stage.node.inputs)
        result = sources[0] if stage.keeps_params else spec.activations[stage.name]
        scales = np.asarray(spec.weights.get(stage.node.name, (1.0,)), np.float32)
        step = _Step(stage, sources, result, scales, shapes[stage.node.inputs[0]], chosen)
        try:
            op = _lowering(stage.node.layer)(step)
        except (InvalidArgumentError, AccumulatorOverflowError) as fault:
            raise type(fault)(f"node {stage.node.name!r}: {fault}") from fault
        params[stage.name] = result
        nodes.append(IntNode(stage.name, op, stage.node.inputs, result.scale, result.zero_point))
    return IntGraph(
        input_shape=graph.input_shape,
        input_scale=params[INPUT].scale,
        input_zero_point=params[INPUT].zero_point,
        nodes=tuple(nodes),
        output=graph.output,
        rule=chosen,
        source_digest=source_digest,
        metadata=metadata or {},
    )


@dataclass(frozen=True)
class _Step:
    """What an operator is made from."""

    stage: Stage
    sources: tuple[QuantParams, ...]
    result: QuantParams
    weight_scales: np.ndarray
    input_shape: tuple[int, ...]
    rule: Rule

    @property
    def layer(self) -> Any:
        return self.stage.node.layer

    def requant(
        self,
        input_scale: float,
        weight_scale: np.ndarray | float,
        bias: np.ndarray | None = None,
    ) -> Requant:
        """Requantization by ``input_scale * weight_scale / output scale``, with the fused clamp.

        ``bias`` is real, for a rule that keeps it so.
        """
        result = self.result
        qmin, qmax = -128, 127
        if self.stage.clamp is not None:
            qmin = result.zero_point
        if isinstance(self.stage.clamp, nn.ReLU6):
            qmax = int(_quantize(np.array([6], np.float32), result)[0])
        constants = self.rule.constants(input_scale, weight_scale, result.scale, bias)
        return Requant(self.rule, constants, result.zero_point, qmin, qmax)


def _quantize(x: np.ndarray, params: QuantParams) -> np.ndarray:
    return intref.quantize(x, scale=params.scale, zero_point=params.zero_point)


def _affine(step: _Step) -> dict[str, Any]:
    source, scales = step.sources[0], step.weight_scales
    w = step.layer.params["w"]
    if len(scales) not in (1, w.shape[-1]):
        raise ShapeError(f"the spec has {len(scales)} weight scales for {w.shape[-1]} channels")
    b = step.layer.params.get("b", np.zeros(w.shape[-1], w.dtype))
    if step.rule.keeps_bias_real:
        # One scale for all is a number: the rule may treat it in another way.
        shared = float(scales[0]) if len(scales) == 1 else scales
        bias, requant = np.zeros(len(b), np.int32), step.requant(source.scale, shared, b)
    else:
        bias = quantize_bias(b, source.scale, scales)
        requant = step.requant(source.scale, scales)
    return {
        "weight": quantize_weights(w, scales),
        "bias": bias,
        "x_zero_point": source.zero_point,
        "requant": requant,
    }


def _window(step: _Step, *names: str) -> dict[str, Any]:
    return {name: getattr(step.layer, name) for name in names}


def _dense(step: _Step) -> Op:
    return infer.Dense(**_affine(step))


def _conv2d(step: _Step) -> Op:
    geometry = _window(step, "stride", "padding", "dilation", "groups")
    return infer.Conv2d(**_affine(step), **geometry)


def _depthwise_conv2d(step: _Step) -> Op:
    geometry = _window(step, "stride", "padding", "dilation")
    return infer.DepthwiseConv2d(**_affine(step), **geometry)


def _max_pool2d(step: _Step) -> Op:
    return infer.MaxPool2d(**_window(step, "kernel", "stride", "padding"))


def _avg_pool2d(step: _Step) -> Op:
    source, (kh, kw) = step.sources[0], step.layer.kernel
    return infer.AvgPool2d(
        **_window(step, "kernel", "stride", "padding"),
        x_zero_point=source.zero_point,
        requant=step.requant(source.scale, 1 / (kh * kw)),
    )


def _global_avg_pool(step: _Step) -> Op:
    source, (height, width, _) = step.sources[0], step.input_shape
    requant = step.requant(source.scale, 1 / (height * width))
    return infer.GlobalAvgPool(x_zero_point=source.zero_point, requant=requant)


def _add(step: _Step) -> Op:
    # The addends are brought to the larger scale in steps of 2**-20; the rule divides by 2**20.
    a, b = step.sources
    larger = max(a.scale, b.scale)
    return infer.Add(
        a_zero_point=a.zero_point,
        b_zero_point=b.zero_point,
        a_multiplier=int(np.rint(a.scale / larger * MAX_ADD_MULTIPLIER)),
        b_multiplier=int(np.rint(b.scale / larger * MAX_ADD_MULTIPLIER)),
        requant=step.requant(larger, 1 / MAX_ADD_MULTIPLIER),
    )


def _flatten(step: _Step) -> Op:
    return infer.Flatten()


def _lookup(step: _Step) -> Op:
    source, result = step.sources[0], step.result
    return infer.Lookup(
        intref.lookup_table(
            lambda x: step.layer.forward(x)[0],
            x_scale=source.scale,
            x_zero_point=source.zero_point,
            scale=result.scale,
            zero_point=result.zero_point,
        )
    )


_LOWERINGS: dict[type[nn.Layer], Callable[[_Step], Op]] = {
    nn.Dense: _dense,
    nn.Conv2d: _conv2d,
    nn.DepthwiseConv2d: _depthwise_conv2d,
    nn.MaxPool2d: _max_pool2d,
    nn.AvgPool2d: _avg_pool2d,
    nn.GlobalAvgPool: _global_avg_pool,
    nn.Add: _add,
    nn.Flatten: _flatten,
    Activation: _lookup,
}


def _lowering(layer: nn.Layer) -> Callable[[_Step], Op]:
    return next(found for kind, found in _LOWERINGS.items() if isinstance(layer, kind))


def _check_spec(spec: QuantSpec, stages: tuple[Stage, ...]) -> None:
    for what, found, wanted in (
        (
            "ranges",
            spec.activations.keys(),
            {INPUT} | {s.name for s in stages if not s.keeps_params},
        ),
        ("weight scales", spec.weights.keys(), {s.node.name for s in stages if s.affine}),
    ):
        if found != wanted:
            raise InvalidArgumentError(
                f"the spec does not belong to this network: {what} missing for "
                f"{sorted(wanted - found)}, unexpected for {sorted(found - wanted)}; "
                f"calibrate this network"
            )
