"""Lowering, held to real arithmetic: every operator is within half a code of the float layer."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies.networks import inputs, lowered, quantized_networks

from kdq_ref import infer, nn
from kdq_ref.errors import (
    AccumulatorOverflowError,
    InvalidArgumentError,
    NotFiniteError,
    RangeError,
)
from kdq_ref.infer.execution import trace
from kdq_ref.quant import QuantParams, QuantSpec, calibrate, lower
from kdq_ref.quant.stages import Stage, split_stages
from kdq_ref.rounding import RULES

TWICE = ("double_rounding", "double_rounding_ties_up", "qnnpack")
"""Rules that round twice."""


def _rounded_layer(stage: Stage, spec: QuantSpec, input_scale: float, rule: str) -> nn.Layer:
    """The float64 layer with weights and bias on the grid that the spec asks for."""
    layer = stage.node.layer.astype(np.float64)
    if stage.affine:
        scales = np.array(spec.weights[stage.node.name], np.float32)
        weights = np.rint(stage.node.layer.params["w"] / scales).clip(-127, 127)
        layer.params["w"] = weights.astype(np.float64) * scales
        if "b" in layer.params and not RULES[rule].keeps_bias_real:
            step = scales.astype(np.float64) * input_scale
            layer.params["b"] = np.rint(layer.params["b"] / step) * step
    return layer


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=200)
@given(st.data())
def test_every_stage_is_within_half_a_code(rule: str, data: st.DataObject) -> None:
    """The integer operator rounds what the float layer makes of the same (dequantized) inputs."""
    graph, spec = data.draw(quantized_networks())
    network = lowered(graph, spec, rule)
    codes = dict(trace(network, data.draw(inputs(graph))))
    real = {
        name: scale * (value.astype(np.float64) - zero_point)
        for name, value in codes.items()
        for scale, zero_point in [network.quantization(name)]
    }
    for stage in split_stages(graph):
        sources = stage.node.inputs
        layer = _rounded_layer(stage, spec, network.quantization(sources[0])[0], rule)
        operands = tuple(real[name] for name in sources)
        y, _ = layer.forward(operands if layer.inputs > 1 else operands[0])
        if stage.clamp is not None:
            y, _ = stage.clamp.forward(y)
        scale, zero_point = network.quantization(stage.name)
        expected = np.clip(y / scale + zero_point, -128, 127)
        error = np.abs(codes[stage.name] - expected).max()
        # Two roundings cost up to another quarter; addends are rounded to 2**-20 of the larger.
        slack = 1e-3 + (0.25 if rule in TWICE else 0)
        if isinstance(layer, nn.Add):
            slack += 255 * 2.0**-20 * max(network.quantization(n)[0] for n in sources) / scale
        assert error <= 0.5 + slack, stage


@given(quantized_networks(), st.sampled_from(list(RULES)))
def test_nodes_are_called_like_the_values_they_hold(
    drawn: tuple[nn.Graph, QuantSpec], rule: str
) -> None:
    """Names, shapes, scales and the output can be looked up in the float network."""
    graph, spec = drawn
    lowered(graph, spec, rule)
    network = lower(graph, spec, rule, source_digest="d", metadata={"classes": ["a"]})
    shapes = graph.shapes()
    assert all(network.shapes[name] == shapes[name] for name in network.shapes)
    assert (network.output, network.rule.name) == (graph.output, rule)
    assert (network.source_digest, network.metadata) == ("d", {"classes": ["a"]})
    for name, params in spec.activations.items():
        assert network.quantization(name) == (params.scale, params.zero_point)


def _dense_and(
    activation: nn.Layer, result: QuantParams, w: float = 1.0, b: float = 0.0
) -> tuple[nn.Graph, QuantSpec]:
    dense = nn.Dense(1, 1, rng=np.random.default_rng(0))
    dense.params["w"][...] = w
    dense.params["b"][...] = b
    graph = nn.Sequential((1,), [("dense", dense), ("act", activation)])
    activations = {"input": QuantParams(0.5, -128), "act": result}
    return graph, QuantSpec(activations, {"dense": (1.0,)}, "per_tensor", {})


@pytest.mark.parametrize(
    ("activation", "zero_point", "scale", "clamp"),
    [
        (nn.ReLU(), -128, 0.5, (-128, 127)),
        (nn.ReLU(), -3, 0.5, (-3, 127)),
        (nn.ReLU(), 127, 0.5, (127, 127)),  # everything is 0
        (nn.ReLU6(), -128, 0.5, (-128, -116)),
        (nn.ReLU6(), -3, 4.0, (-3, -1)),  # 6 / 4 is a tie: 1.5 goes to the even 2
        (nn.ReLU6(), 100, 0.125, (100, 127)),  # 6 lies beyond the range
        (nn.ReLU6(), 0, 16.0, (0, 0)),  # 6 rounds to 0
    ],
)
def test_fused_activations_are_clamps(
    activation: nn.Layer, zero_point: int, scale: float, clamp: tuple[int, int]
) -> None:
    """Real 0 and real 6 as codes, worked out by hand."""
    node = lower(*_dense_and(activation, QuantParams(scale, zero_point))).nodes[0]
    assert (node.op.requant.qmin, node.op.requant.qmax) == clamp


def test_biases_have_the_scale_of_the_accumulator() -> None:
    """Input scale 0.5 times weight scale 1: a bias of 3 is 6 steps."""
    node = lower(*_dense_and(nn.ReLU(), QuantParams(1.0, 0), b=3.0)).nodes[0]
    assert node.op.bias.tolist() == [6]


def test_a_rule_with_real_biases_keeps_them_beside_its_constants() -> None:
    """The integer bias is 0; the real one, over input scale 0.5 times weight scale 1, is exact."""
    node = lower(*_dense_and(nn.ReLU(), QuantParams(1.0, 0), b=3.3), "fbgemm").nodes[0]
    assert node.op.bias.tolist() == [0]
    assert node.op.requant.constants.bias == np.float32(3.3) * (np.float32(1) / np.float32(0.5))
    # A bias that int32 could not hold is none of its concern.
    wide = lower(*_dense_and(nn.ReLU(), QuantParams(1.0, 0), b=1e10), "fbgemm").nodes[0]
    assert wide.op.requant.constants.bias == np.float32(2e10)


def test_real_biases_divide_where_scales_are_per_channel() -> None:
    """FBGEMM multiplies by a reciprocal only where one scale serves all."""
    dense = nn.Dense(1, 2, rng=np.random.default_rng(0))
    dense.params["b"][...] = 0.1, 0.7
    s_x, s_w = float(np.float32(0.3)), float(np.float32(0.7))
    graph = nn.Sequential((1,), [("dense", dense)])
    activations = {"input": QuantParams(s_x, 0), "dense": QuantParams(1.0, 0)}
    biases = []
    for scales in ((s_w,), (s_w, s_w)):
        spec = QuantSpec(activations, {"dense": scales}, "per_channel", {})
        biases.append(lower(graph, spec, "fbgemm").nodes[0].op.requant.constants.bias)
    product = np.float32(s_x) * np.float32(s_w)
    real = dense.params["b"].astype(np.float32)
    np.testing.assert_array_equal(biases[0], real * (np.float32(1) / product))
    np.testing.assert_array_equal(biases[1], real / product)


def test_a_rule_that_does_not_take_a_multiplier_names_the_node() -> None:
    """QNNPACK wants it below 1."""
    graph, spec = _dense_and(nn.ReLU(), QuantParams(0.5, 0))
    with pytest.raises(RangeError, match=r"node 'dense': qnnpack takes multipliers below 2\*\*0"):
        lower(graph, spec, "qnnpack")


def test_a_spec_of_another_network_is_refused() -> None:
    """Missing and unexpected values are named."""
    graph, spec = _dense_and(nn.ReLU(), QuantParams(1.0, 0))
    activations = dict(spec.activations)
    activations["extra"] = activations.pop("act")
    with pytest.raises(InvalidArgumentError, match=r"missing for \['act'\].*\['extra'\]"):
        lower(graph, dataclasses.replace(spec, activations=activations))
    with pytest.raises(InvalidArgumentError, match=r"weight scales missing for \['dense'\]"):
        lower(graph, dataclasses.replace(spec, weights={}))
    with pytest.raises(InvalidArgumentError, match=r"'dense': .* 2 weight scales for 1 channels"):
        lower(graph, dataclasses.replace(spec, weights={"dense": (1.0, 1.0)}))


def test_useless_scales_name_the_node() -> None:
    """A result range far too narrow for its accumulator has no multiplier."""
    graph, spec = _dense_and(nn.ReLU(), QuantParams(2.0**-100, 0))
    with pytest.raises(RangeError, match="node 'dense'"):
        lower(graph, spec)


def test_a_bias_beyond_int32_names_layer_and_channel() -> None:
    """And the weight scale that would fit."""
    graph, spec = _dense_and(nn.ReLU(), QuantParams(1.0, 0), b=1e10)
    with pytest.raises(AccumulatorOverflowError, match=r"'dense': channel 0: .* would fit"):
        lower(graph, spec)


def test_an_accumulator_beyond_int32_names_layer_and_channel() -> None:
    """A bias that fits alone, but not together with the products."""
    graph, spec = _dense_and(nn.ReLU(), QuantParams(1.0, 0), w=127.0, b=2.0**30 - 1000)
    with pytest.raises(AccumulatorOverflowError, match=r"'act', channel 0: .* 2147"):
        lower(graph, spec)


def test_weights_that_are_not_finite_name_the_node() -> None:
    """Also when they went bad after calibration."""
    graph, spec = _dense_and(nn.ReLU(), QuantParams(1.0, 0), w=np.nan)
    with pytest.raises(NotFiniteError, match="'dense'"):
        lower(graph, spec)


def test_unknown_rules_are_refused() -> None:
    """The message lists the known ones."""
    with pytest.raises(InvalidArgumentError, match="single_rounding, double_rounding"):
        lower(*_dense_and(nn.ReLU(), QuantParams(1.0, 0)), "banker")


def test_a_calibrated_network_is_close_to_the_float_one() -> None:
    """A three-layer network loses less than three percent of its output's range."""
    rng = np.random.default_rng(3)
    layers = [
        nn.Conv2d(1, 8, 3, rng=rng),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, rng=rng),
        nn.HardSwish(),
        nn.Flatten(),
        nn.Dense(128, 10, rng=rng),
    ]
    graph = nn.Sequential((8, 8, 1), layers)
    x = rng.random((64, 8, 8, 1), dtype=np.float32)
    lowered = lower(graph, calibrate(graph, [x]))
    real = (infer.run(lowered, x) - float(lowered.output_zero_point)) * lowered.output_scale
    expected = graph(x)
    assert np.abs(real - expected).max() < 0.03 * (expected.max() - expected.min())
