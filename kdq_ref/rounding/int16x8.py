r"""The rules of 16x8 quantization: int16 activations, int8 weights, accumulators held in int64.

All tensors are symmetric: there is no zero point. What a runtime computes hangs on the type of the
bias. With int64 biases, the mantissa is cut to 15 bits, so that its product with an accumulator of
48 bits fits int64:

.. math:: M = \frac{s_x s_w}{s_y} \approx m' \cdot 2^{e-15}, \quad m' \in [2^{14}, 2^{15})

``m' = min((m + 2**15) >> 16, 0x7FFF)``, of the ``m`` and ``e`` of
:mod:`kdq_ref.rounding.fixed_point`. With int32 biases, the accumulator is an int32 that wraps
around, and the rule is that of int8, with all 31 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdq_ref import operands
from kdq_ref.checks import check_int
from kdq_ref.errors import DTypeError, InvalidArgumentError, RangeError, ShapeError
from kdq_ref.rounding.fixed_point import (
    check_fixed_point,
    fixed_point_constants,
    round_once,
    round_twice,
)
from kdq_ref.rounding.rule import Constants, Rule

_MAX_EXPONENT = 7
_INT16_MIN, _INT16_MAX = -(2**15), 2**15 - 1
_USES = ("multiplier", "exponent")


def _check_reduced(constants: Constants) -> None:
    exponent = constants.exponent
    if (exponent > _MAX_EXPONENT).any():
        raise RangeError(
            f"a 16x8 exponent must be in [-31, {_MAX_EXPONENT}], got {exponent.max()}: the real "
            f"multiplier must be below 2**{_MAX_EXPONENT}; is the output scale right?"
        )
    check_fixed_point(constants)


def _reduced(acc: np.ndarray, constants: Constants) -> np.ndarray:
    operands.check_acc_16x8(acc)
    reduced = reduced_mantissa(constants)
    shift = 15 - constants.exponent.astype(np.int64)
    # |acc * m'| < 2**62 and the rounding term is at most 2**45: int64 never overflows.
    return (acc * reduced + (np.int64(1) << (shift - 1))) >> shift


def reduced_mantissa(constants: Constants) -> np.ndarray:
    """``m' = min((m + 2**15) >> 16, 0x7FFF)`` : (C,) int64."""
    return np.minimum((constants.multiplier.astype(np.int64) + 2**15) >> 16, 0x7FFF)


def _wrap(acc: np.ndarray) -> np.ndarray:
    return acc.astype(np.int32).astype(np.int64)


reduced_16x8 = Rule(
    name="reduced_16x8",
    c_id=0,
    formula="(acc * m' + 2**(14 - e)) >> (15 - e) with m' = min((m + 2**15) >> 16, 2**15 - 1)",
    source="TensorFlow Lite MultiplyByQuantizedMultiplier(int64_t, ...), both builds "
    "(kernels/internal/common.cc), CMSIS-NN arm_nn_requantize_s64 with REDUCE_MULTIPLIER: int64 "
    "biases",
    ties="up",
    uses=_USES,
    limits=(0.0, 2.0**_MAX_EXPONENT),
    _constants=fixed_point_constants,
    _check=_check_reduced,
    _apply=_reduced,
)
"""Round once, half up, by 15 bits of multiplier: the default."""

single_rounding_16x8 = Rule(
    name="single_rounding_16x8",
    c_id=1,
    formula="(acc * m + 2**(30 - e)) >> (31 - e), acc modulo 2**32",
    source="TensorFlow Lite with int32 biases, built with TFLITE_SINGLE_ROUNDING; CMSIS-NN "
    "arm_convolve_s16 with is_int32_bias, built with CMSIS_NN_USE_SINGLE_ROUNDING",
    ties="up",
    uses=_USES,
    limits=(0.0, 2.0**30),
    _constants=fixed_point_constants,
    _check=check_fixed_point,
    _apply=lambda acc, constants: round_once(_wrap(acc), constants),
)
"""As ``single_rounding``, on an int32 accumulator."""

double_rounding_16x8 = Rule(
    name="double_rounding_16x8",
    c_id=2,
    formula="h = ((acc << max(e, 0)) * m + 2**30) >> 31, acc modulo 2**32; "
    "then h / 2**max(-e, 0) rounded half away from zero",
    source="TensorFlow Lite's reference kernels with int32 biases; CMSIS-NN arm_convolve_s16 with "
    "is_int32_bias (arm_nn_requantize), by default",
    ties="away from zero",
    uses=_USES,
    limits=(0.0, 2.0**30),
    _constants=fixed_point_constants,
    _check=check_fixed_point,
    _apply=lambda acc, constants: round_twice(_wrap(acc), constants),
)
"""As ``double_rounding``, on an int32 accumulator."""

RULES_16X8: dict[str, Rule] = {
    rule.name: rule for rule in (reduced_16x8, single_rounding_16x8, double_rounding_16x8)
}
"""Every rule of 16x8 by name; the first is the default."""


@dataclass(frozen=True, eq=False)
class Requant16x8:
    """Turns int64 accumulators into int16: ``clamp(rule(acc), qmin, qmax)``.

    Attributes
    ----------
    constants : Constants
        One set per output channel, or one for all; of the rule.
    qmin, qmax : int
        The clamp, ``-32768 <= qmin <= qmax <= 32767``.
    rule : Rule
        One of :data:`RULES_16X8`.
    """

    constants: Constants
    qmin: int = _INT16_MIN
    qmax: int = _INT16_MAX
    rule: Rule = reduced_16x8

    def __post_init__(self) -> None:
        for name in ("qmin", "qmax"):
            # Kept as Python's int: NumPy's would wrap around.
            value = check_int(name, getattr(self, name), _INT16_MIN, _INT16_MAX)
            object.__setattr__(self, name, value)
        if self.qmin > self.qmax:
            raise RangeError(f"qmin {self.qmin} must not exceed qmax {self.qmax}")
        if self.channels < 1:
            raise ShapeError("a Requant16x8 needs constants for at least one channel")
        if self.rule not in RULES_16X8.values():
            raise InvalidArgumentError(
                f"{self.rule!r} is not for 16x8; choose one of {', '.join(RULES_16X8)}"
            )
        self.rule.check(self.constants)

    @property
    def channels(self) -> int:
        """How many channels the constants describe; 1 means the same for all."""
        return self.constants.channels

    def apply(self, acc: np.ndarray) -> np.ndarray:
        """Requantize ``acc`` : (..., C) int64 in ``[-2**47, 2**47)`` to int16 of the same shape.

        Raises
        ------
        DTypeError, RangeError, ShapeError
        """
        if self.channels != 1 and (np.ndim(acc) == 0 or np.shape(acc)[-1] != self.channels):
            raise ShapeError(
                f"constants for {self.channels} channels do not fit accumulators of shape "
                f"{np.shape(acc)}: the last axis is the channel"
            )
        scaled = self.rule.apply(operands.check_acc_16x8(acc), self.constants)
        return np.clip(scaled, self.qmin, self.qmax).astype(np.int16)


def channels_of_16x8(requant: Requant16x8) -> int:
    """Return how many channels a :class:`Requant16x8` describes; anything else is a DTypeError."""
    if not isinstance(requant, Requant16x8):
        raise DTypeError(f"requant must be a rounding.Requant16x8, got {type(requant).__name__}")
    return requant.channels
