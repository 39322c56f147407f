"""Rules in double precision: the product of an int32 and the multiplier is all but exact."""

from __future__ import annotations

import numpy as np

from kdq_ref.rounding.float32 import check_multiplier
from kdq_ref.rounding.rule import Constants, Rule

_LIMIT = 2.0**31
_LIMITS = (0.0, float(np.finfo(np.float64).max))


def _constants(
    input_scale: np.ndarray, weight_scale: np.ndarray, output_scale: np.ndarray
) -> Constants:
    with np.errstate(over="ignore"):  # reported by the check
        real = input_scale * weight_scale / output_scale
    zeros = np.zeros(real.shape, np.int32)
    return Constants(zeros, zeros.copy(), np.zeros(real.shape, np.float32), real)


def _check(constants: Constants) -> None:
    check_multiplier(constants.real)


def _product(acc: np.ndarray, constants: Constants) -> np.ndarray:
    """``float64(acc) * M``, clamped so that the conversion that follows is defined."""
    with np.errstate(over="ignore"):  # infinity clamps like any large value
        return np.clip(acc.astype(np.float64) * constants.real, -_LIMIT, _LIMIT)


def _half_away(acc: np.ndarray, constants: Constants) -> np.ndarray:
    scaled = _product(acc, constants)
    whole = np.trunc(scaled)
    rest = scaled - whole  # exact; adding one half to `scaled` would not be
    return (whole + (rest >= 0.5) - (rest <= -0.5)).astype(np.int64)


def _half_even(acc: np.ndarray, constants: Constants) -> np.ndarray:
    return np.rint(_product(acc, constants)).astype(np.int64)


float64_half_away = Rule(
    name="float64_half_away",
    c_id=7,
    formula="round_half_away(float64(acc) * (s_x * s_w / s_y)), all in float64",
    source="LiteRT's reference FullyConnected and FullyConnectedPerChannel with scales "
    "(tflite/kernels/internal/reference/integer_ops/fully_connected.h)",
    ties="away from zero",
    uses=("real",),
    limits=_LIMITS,
    _constants=_constants,
    _check=_check,
    _apply=_half_away,
)
"""C's ``round``: half away from zero."""

onnx_spec = Rule(
    name="onnx_spec",
    c_id=8,
    formula="rne(float64(acc) * (s_x * s_w / s_y)), all in float64",
    source="the text of ONNX QLinearMatMul, QLinearConv and QuantizeLinear: saturate((x / y_scale) "
    "+ y_zero_point), x / y_scale rounded to nearest, ties to even; it names no precision, "
    "float64 stands for real numbers",
    ties="to even",
    uses=("real",),
    limits=_LIMITS,
    _constants=_constants,
    _check=_check,
    _apply=_half_even,
)
"""Half to even of the real product, before the zero point is added."""
