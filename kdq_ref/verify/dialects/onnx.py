"""ONNX: what its text says, in float64 for real numbers, and what its reference evaluator does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from kdq_ref.rounding import float32_rne, onnx_spec
from kdq_ref.verify.accumulators import accumulate, biased, weight_of
from kdq_ref.verify.dialect import Dialect, Operator
from kdq_ref.verify.dialects import moves
from kdq_ref.verify.dialects.quantization import saturate
from kdq_ref.verify.dialects.windows import window_counts, window_terms
from kdq_ref.verify.float_steps import to_int32
from kdq_ref.verify.network import Encoding, Network, Node, real_bounds

Inputs = tuple[np.ndarray, ...]
_Float = type[np.float32] | type[np.float64]


def _reals(kind: _Float, codes: np.ndarray, encoding: Encoding) -> np.ndarray:
    return (codes.astype(np.int32) - encoding.zero_point).astype(kind) * kind(encoding.scale)


def _codes(kind: _Float, reals: np.ndarray, node: Node) -> np.ndarray:
    with np.errstate(over="ignore"):
        steps = to_int32(reals.astype(kind) / kind(node.output.scale))
    if kind is np.float64:
        # Real numbers saturate wherever they are; of the evaluator's float32 only what fits int32.
        steps = np.where(reals > 0, np.where(steps == -(2**31), 2**31 - 1, steps), steps)
    steps = (steps + node.output.zero_point + 2**31) % 2**32 - 2**31
    return saturate(node, steps) if node.operator != "clip" else _stored(node, steps)


def _stored(node: Node, steps: np.ndarray) -> np.ndarray:
    return np.clip(steps, *node.output.limits).astype(node.output.dtype)


def _spec_affine(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    acc = biased(node, accumulate(network, node, inputs[0]))
    scale = network.encodings[node.inputs[0]].scale
    constants = onnx_spec.constants(scale, weight_of(node).scales, node.output.scale)
    return saturate(node, onnx_spec.apply(acc, constants) + node.output.zero_point)


def _evaluator_affine(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    acc = biased(node, accumulate(network, node, inputs[0]))
    scale = network.encodings[node.inputs[0]].scale
    # int32 times float32 is float64 in NumPy; the multiplier itself is formed in float32.
    multiplier = float32_rne.constants(scale, weight_of(node).scales, node.output.scale).scale
    scaled = acc * multiplier.astype(np.float64) + node.output.zero_point
    bounded = np.clip(np.rint(scaled), *node.output.limits)
    return saturate(node, bounded.astype(np.int64))


def _quantize(kind: _Float, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    return _codes(kind, inputs[0], node)


def _dequantize(kind: _Float, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    return _reals(kind, inputs[0], network.encodings[node.inputs[0]]).astype(np.float32)


def _avg_pool(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    reals = _reals(np.float64, inputs[0], network.encodings[node.inputs[0]])
    total = sum(window_terms(node, reals), np.float64(0))
    return _codes(np.float64, np.asarray(total) / window_counts(node, inputs[0]), node)


def _global_avg_pool(kind: _Float, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    # Channels first, as the model has them: the order of NumPy's float32 sums follows the memory.
    reals = _reals(kind, inputs[0], network.encodings[node.inputs[0]]).transpose(0, 3, 1, 2)
    return _codes(kind, np.average(reals, axis=(2, 3)), node)


def _binary(kind: _Float, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    a, b = (
        _reals(kind, codes, network.encodings[name])
        for codes, name in zip(inputs, node.inputs, strict=True)
    )
    return _codes(kind, a + b if node.operator == "add" else a * b, node)


def _concat(kind: _Float, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    reals = [
        _reals(kind, codes, network.encodings[name])
        for codes, name in zip(inputs, node.inputs, strict=True)
    ]
    return _codes(kind, np.concatenate(reals, axis=-1), node)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    one = x.dtype.type(1)
    with np.errstate(over="ignore", invalid="ignore"):
        power = np.exp(x)
        return np.where(x > 0, one / (one + np.exp(-x)), power / (one + power))


def _hard_swish(x: np.ndarray) -> np.ndarray:
    kind = x.dtype.type
    return x * np.maximum(0, np.minimum(1, x * kind(np.float32(1 / 6)) + kind(0.5)))


def _softmax(x: np.ndarray) -> np.ndarray:
    exponentials = np.exp(x - x.max(axis=1, keepdims=True))
    exponentials /= exponentials.sum(axis=1, keepdims=True)
    return exponentials


_FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "hard_swish": _hard_swish,
    "softmax": _softmax,
}


def _activation(kind: _Float, network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    reals = _reals(kind, inputs[0], network.encodings[node.inputs[0]])
    if node.operator in _FUNCTIONS:
        return _codes(kind, _FUNCTIONS[node.operator](reals), node)
    return _codes(kind, np.clip(reals, *(kind(bound) for bound in real_bounds(node))), node)


def _operators(kind: _Float) -> dict[str, Operator]:
    activation = partial(_activation, kind)
    names = ("relu", "relu6", "clip", "sigmoid", "tanh", "hard_swish", "softmax")
    return {
        "quantize": partial(_quantize, kind),
        "dequantize": partial(_dequantize, kind),
        "max_pool2d": moves.max_pool,
        "global_avg_pool": partial(_global_avg_pool, kind),
        "add": partial(_binary, kind),
        "mul": partial(_binary, kind),
        "concat": partial(_concat, kind),
        "flatten": moves.flatten,
        **dict.fromkeys(names, activation),
    }


_AFFINE = ("dense", "conv2d", "depthwise_conv2d")
_FLOAT_OPERATOR = "rne(f(s_x (q - zp)) / s_y) + zp: a float operator between dequantization and "
_FLOATS = dict.fromkeys(
    (
        "global_avg_pool",
        "add",
        "mul",
        "concat",
        "relu",
        "relu6",
        "clip",
        "sigmoid",
        "tanh",
        "hard_swish",
        "softmax",
    ),
    f"{_FLOAT_OPERATOR}quantization",
) | {
    "quantize": "rne(x / s) + zp, saturating (QuantizeLinear)",
    "dequantize": "s (q - zp) (DequantizeLinear)",
    "max_pool2d": "largest code",
    "flatten": "codes stay",
}
_SPEC = _operators(np.float64) | dict.fromkeys(_AFFINE, _spec_affine) | {"avg_pool2d": _avg_pool}
_EVALUATOR = _operators(np.float32) | dict.fromkeys(_AFFINE, _evaluator_affine)
_POOLS = {
    "avg_pool2d": "a loop of Python over every output (op_pool_common.py), some 10^4 a second: "
    "too slow to be compared",
    "max_pool2d": "padding [top, left, bottom, right] is read as (top, bottom, left, right) "
    "(op_pool_common.py): of a 5x5 image a 1x3 window with padding 1 at the left and right makes "
    "6x4 instead of 5x5",
}
del _EVALUATOR["max_pool2d"]

DIALECTS = {
    dialect.name: dialect
    for dialect in (
        Dialect(
            name="onnx-spec",
            runtime="",
            storage="int8",
            summary="the operator texts of ONNX; float64 stands for real numbers",
            operators=_SPEC,
            notes=_FLOATS
            | dict.fromkeys(_AFFINE, f"{onnx_spec.formula} + zp, saturating")
            | {"avg_pool2d": f"{_FLOAT_OPERATOR}quantization; padding left out"},
        ),
        Dialect(
            name="onnx-reference-evaluator",
            runtime="onnx-reference",
            storage="uint8",
            summary="onnx.reference: float32 multiplier, float64 product, the zero point inside "
            "the rounding",
            operators=_EVALUATOR,
            notes=_FLOATS
            | dict.fromkeys(
                _AFFINE,
                "rne(float64(acc + bias) * float32(float32(s_x s_w) / s_y) + zp): the zero point "
                "is added before rounding, so ties fall another way than in the text "
                "(op_qlinear_matmul.py, op_qlinear_conv.py)",
            )
            | _POOLS,
        ),
    )
}
