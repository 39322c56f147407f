"""Our own: what lowering makes of scales, and :mod:`kdq_ref.intref` of the result."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from kdq_ref import functional, intref
from kdq_ref.errors import UnsupportedError
from kdq_ref.operands import MAX_ADD_MULTIPLIER
from kdq_ref.rounding import Requant, Rule, get_rule
from kdq_ref.verify.accumulators import accumulate, biased, weight_of
from kdq_ref.verify.dialect import Dialect, Operator
from kdq_ref.verify.dialects.quantization import codes_of, look_up, saturate
from kdq_ref.verify.dialects.windows import max_pool
from kdq_ref.verify.network import Encoding, Network, Node, code_bounds, real_bias, real_bounds

Inputs = tuple[np.ndarray, ...]

FUNCTIONS = {
    "relu": functional.relu_forward,
    "relu6": functional.relu6_forward,
    "sigmoid": functional.sigmoid_forward,
    "tanh": functional.tanh_forward,
    "hard_swish": functional.hard_swish_forward,
}
"""What a table may hold; float64 in, and as lowering calls it."""


def function_table(operator: str, source: Encoding, output: Encoding) -> np.ndarray:
    """Codes of a function at every code of its input : (256,) int8.

    Parameters
    ----------
    operator : str
        One of :data:`FUNCTIONS`.
    source, output : Encoding
        In int8.
    """
    codes = codes_of(source).astype(np.float64)
    real: np.ndarray = FUNCTIONS[operator](source.scale * (codes - source.zero_point))[0]
    limit = np.finfo(np.float32).max
    return intref.quantize(
        real.clip(-limit, limit).astype(np.float32),
        scale=output.scale,
        zero_point=output.zero_point,
    )


def requant_of(
    rule: Rule, node: Node, input_scale: float, weight_scale: np.ndarray | float, **bias: Any
) -> Requant:
    """Requantization to the node's output by ``input_scale * weight_scale / output scale``."""
    output = node.output
    qmin, qmax = output.limits
    if node.clamp is not None and node.operator != "clip":
        qmin, qmax = code_bounds(output, node.clamp)
    constants = rule.constants(input_scale, weight_scale, output.scale, **bias)
    return Requant(rule, constants, output.zero_point, qmin, qmax)


def affine_requant(rule: Rule, network: Network, node: Node) -> Requant:
    """Requantization of a dense layer or a convolution, with its bias if the rule keeps it real."""
    scales: np.ndarray | float = weight_of(node).scales
    bias = real_bias(network, node) if rule.keeps_bias_real else None
    if bias is not None and np.size(scales) == 1:
        scales = float(np.asarray(scales)[0])
    scale = network.encodings[node.inputs[0]].scale
    return requant_of(rule, node, scale, scales, **({} if bias is None else {"bias": bias}))


def _affine(rule: Rule, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    acc = accumulate(network, node, inputs[0])
    if not rule.keeps_bias_real:
        acc = biased(node, acc)
    return affine_requant(rule, network, node).apply(acc)


def _avg_pool(rule: Rule, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    source, (height, width) = network.encodings[node.inputs[0]], node.kernel
    return intref.avg_pool2d(
        inputs[0],
        kernel=node.kernel,
        stride=node.stride,
        padding=node.padding,
        x_zero_point=source.zero_point,
        requant=requant_of(rule, node, source.scale, 1 / (height * width)),
    )


def _global_avg_pool(rule: Rule, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    source, (_, height, width, _) = network.encodings[node.inputs[0]], inputs[0].shape
    requant = requant_of(rule, node, source.scale, 1 / (height * width))
    return intref.global_avg_pool(inputs[0], x_zero_point=source.zero_point, requant=requant)


def _add(rule: Rule, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    a, b = (network.encodings[name] for name in node.inputs)
    larger = max(a.scale, b.scale)
    return intref.add(
        *inputs,
        a_zero_point=a.zero_point,
        b_zero_point=b.zero_point,
        a_multiplier=int(np.rint(a.scale / larger * MAX_ADD_MULTIPLIER)),
        b_multiplier=int(np.rint(b.scale / larger * MAX_ADD_MULTIPLIER)),
        requant=requant_of(rule, node, larger, 1 / MAX_ADD_MULTIPLIER),
    )


def _max_pool(rule: Rule, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    return saturate(node, max_pool(network, node, inputs[0]).astype(np.int64))


def _function(rule: Rule, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    source = network.encodings[node.inputs[0]]
    return look_up(function_table(node.operator, source, node.output), inputs[0], source)


def _clip(rule: Rule, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    if network.encodings[node.inputs[0]] != node.output:
        raise UnsupportedError("a clip of kdq keeps the scale and zero point of its input")
    low, high = code_bounds(node.output, real_bounds(node))
    return np.clip(inputs[0], low, high).astype(np.int8)


def _quantize(rule: Rule, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    return intref.quantize(inputs[0], scale=node.output.scale, zero_point=node.output.zero_point)


def _dequantize(rule: Rule, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    source = network.encodings[node.inputs[0]]
    return intref.dequantize(inputs[0], scale=source.scale, zero_point=source.zero_point)


def _flatten(rule: Rule, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    return intref.flatten(inputs[0])


_OPERATORS = {
    "quantize": _quantize,
    "dequantize": _dequantize,
    "dense": _affine,
    "conv2d": _affine,
    "depthwise_conv2d": _affine,
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
    "global_avg_pool": _global_avg_pool,
    "add": _add,
    "relu": _function,
    "relu6": _function,
    "clip": _clip,
    "sigmoid": _function,
    "tanh": _function,
    "hard_swish": _function,
    "flatten": _flatten,
}
_AFFINE = "rule(sum (x - z_x) * w + bias) + z_y; a real bias only where the rule keeps it so"
_TABLE = "a table of 256 codes: quantize(f(s_x * (q - z_x))) with f in float64"
_NOTES = {
    "quantize": "clamp(rne(x / s)) + zp in float32",
    "dequantize": "s * float32(q - zp)",
    "dense": _AFFINE,
    "conv2d": _AFFINE,
    "depthwise_conv2d": _AFFINE,
    "max_pool2d": "largest code",
    "avg_pool2d": "rule(sum (x - z_x)) + z_y by s_x / (s_y kh kw): padded positions count as 0",
    "global_avg_pool": "rule(sum (x - z_x)) + z_y by s_x / (s_y H W)",
    "add": "rule((a - z_a) A + (b - z_b) B) + z_y by s / (s_y 2**20), s the larger scale, "
    "A = rne(s_a / s * 2**20)",
    "relu": _TABLE,
    "relu6": _TABLE,
    "clip": "a clamp of codes",
    "sigmoid": _TABLE,
    "tanh": _TABLE,
    "hard_swish": _TABLE,
    "flatten": "codes stay",
    "mul": "networks of kdq have none",
    "concat": "networks of kdq have none",
    "softmax": "a single operator of kdq with a table of its own, not in its networks",
}


def under(rule: str | Rule) -> Dialect:
    """What kdq computes under a rule; the default rule's dialect is called ``kdq``.

    Raises
    ------
    InvalidArgumentError
        For an unknown rule.
    """
    chosen = get_rule(rule)
    operators: dict[str, Operator] = {
        name: partial(operator, chosen) for name, operator in _OPERATORS.items()
    }
    default = chosen is get_rule("single_rounding")
    return Dialect(
        name="kdq" if default else chosen.name,
        runtime="",
        storage="int8",
        summary=f"kdq_ref itself, under {chosen.name}: {chosen.formula}",
        operators=operators,
        notes=_NOTES,
    )


DIALECTS = {"kdq": under("single_rounding")}
