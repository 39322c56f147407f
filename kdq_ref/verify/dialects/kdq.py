"""Our own dialect: the integer specification of :mod:`kdq_ref.intref`, rounded once."""

from __future__ import annotations

import numpy as np

from kdq_ref import intref
from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialect import Dialect, Operator
from kdq_ref.verify.network import Network, Node
from kdq_ref.verify.own_operators import own_operator

Inputs = tuple[np.ndarray, ...]


def _quantize(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    output = node.output
    return intref.quantize(inputs[0], scale=output.scale, zero_point=output.zero_point)


def _dequantize(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    source = network.encodings[node.inputs[0]]
    return intref.dequantize(inputs[0], scale=source.scale, zero_point=source.zero_point)


def _softmax(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    if (node.output.scale, node.output.zero_point) != (1 / 256, -128):
        raise UnsupportedError("softmax has the output scale 1/256 and zero point -128")
    table = intref.softmax_table(network.encodings[node.inputs[0]].scale)
    return intref.softmax(inputs[0], table)


def _specified(network: Network, node: Node, inputs: Inputs) -> np.ndarray:
    return own_operator(network, node).apply(*inputs)


_ONCE = "single_rounding: (acc * m + 2^(30-e)) >> (31-e), m and e from float64 scales"
_TABLE = "a table of 256 codes: the real function of float64, quantized as quantize does"
_NOTES = {
    "quantize": "clamp(rne(x / s)) + zp in float32",
    "dequantize": "s * float32(q - zp)",
    "dense": _ONCE,
    "conv2d": _ONCE,
    "depthwise_conv2d": _ONCE,
    "max_pool2d": "largest code",
    "avg_pool2d": f"padding counts as zero; 1 / (kh kw) is in the multiplier; {_ONCE}",
    "global_avg_pool": f"1 / size is in the multiplier; {_ONCE}",
    "add": f"integer multipliers rne(s / max(s) 2^20), one sum; {_ONCE}",
    "mul": "there is no such integer operator yet",
    "concat": "there is no such integer operator yet",
    "relu": _TABLE,
    "relu6": _TABLE,
    "clip": _TABLE,
    "sigmoid": _TABLE,
    "tanh": _TABLE,
    "hard_swish": _TABLE,
    "softmax": "a table of exponentials in Q30, their sum, one exact division "
    "(kdq_ref/intref/softmax.py)",
    "flatten": "codes stay",
}
_OPERATORS: dict[str, Operator] = {
    name: _specified for name in _NOTES if name not in ("mul", "concat")
}
_OPERATORS |= {"quantize": _quantize, "dequantize": _dequantize, "softmax": _softmax}

DIALECTS = {
    "kdq": Dialect(
        name="kdq",
        runtime="kdq",
        storage="int8",
        summary="our own: exact integers, one rounding, half up",
        operators=_OPERATORS,
        notes=_NOTES,
    )
}
