r"""The rule of 16x8 quantization: int16 activations, int8 weights, int64 accumulators.

.. math:: M = \frac{s_x s_w}{s_y} \approx m' \cdot 2^{e-15}, \quad m' \in [2^{14}, 2^{15})

The mantissa ``m`` and the exponent ``e`` are those of :mod:`kdq_ref.rounding.fixed_point`; ``m`` is
then reduced to 15 bits, ``m' = min((m + 2**15) >> 16, 0x7FFF)``, so that its product with an
accumulator of 48 bits fits int64. So TensorFlow Lite's ``MultiplyByQuantizedMultiplier(int64_t x,
int32_t quantized_multiplier, int shift)`` (``tensorflow/lite/kernels/internal/common.h``), which
asserts what is checked here. Where it also asserts that the result fits int32, the clamp to int16
makes any larger one an end.

All tensors are symmetric: there is no zero point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdq_ref import operands
from kdq_ref.checks import check_int
from kdq_ref.errors import DTypeError, RangeError, ShapeError
from kdq_ref.rounding.fixed_point import single_rounding
from kdq_ref.rounding.rule import Constants

_MAX_EXPONENT = 7
_INT16_MIN, _INT16_MAX = -(2**15), 2**15 - 1


def constants_16x8(
    input_scale: float, weight_scale: np.ndarray | float, output_scale: float
) -> Constants:
    """Mantissa and exponent of ``M = input_scale * weight_scale / output_scale``.

    Parameters
    ----------
    input_scale, output_scale : float
    weight_scale : float or (C,) array

    Raises
    ------
    RangeError, NotFiniteError, ShapeError
        Scales must be positive and finite, and ``M`` below ``2**7``.
    """
    constants = single_rounding.constants(input_scale, weight_scale, output_scale)
    _check(constants)
    return constants


def multiply_16x8(acc: np.ndarray, constants: Constants) -> np.ndarray:
    """Scale accumulators: ``(acc * m' + 2**(14 - e)) >> (15 - e)``; the clamp comes after.

    Parameters
    ----------
    acc : (..., C) int64 ndarray
        Values in ``[-2**47, 2**47)``.
    constants : Constants
        With C channels, or 1.

    Returns
    -------
    (..., C) int64 ndarray

    Raises
    ------
    DTypeError, RangeError
    """
    acc = operands.check_acc_16x8(acc)
    _check(constants)
    reduced = np.minimum((constants.multiplier.astype(np.int64) + 2**15) >> 16, 0x7FFF)
    shift = 15 - constants.exponent.astype(np.int64)
    # |acc * m'| < 2**62 and the rounding term is at most 2**45: int64 never overflows.
    return (acc * reduced + (np.int64(1) << (shift - 1))) >> shift


@dataclass(frozen=True, eq=False)
class Requant16x8:
    """Turns int64 accumulators into int16: ``clamp(multiply_16x8(acc), qmin, qmax)``.

    Attributes
    ----------
    constants : Constants
        One set per output channel, or one for all; of :func:`constants_16x8`.
    qmin, qmax : int
        The clamp, ``-32768 <= qmin <= qmax <= 32767``.
    """

    constants: Constants
    qmin: int = _INT16_MIN
    qmax: int = _INT16_MAX

    def __post_init__(self) -> None:
        for name in ("qmin", "qmax"):
            # Kept as Python's int: NumPy's would wrap around.
            value = check_int(name, getattr(self, name), _INT16_MIN, _INT16_MAX)
            object.__setattr__(self, name, value)
        if self.qmin > self.qmax:
            raise RangeError(f"qmin {self.qmin} must not exceed qmax {self.qmax}")
        if self.channels < 1:
            raise ShapeError("a Requant16x8 needs constants for at least one channel")
        _check(self.constants)

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
        scaled = multiply_16x8(acc, self.constants)
        return np.clip(scaled, self.qmin, self.qmax).astype(np.int16)


def _check(constants: Constants) -> None:
    exponent = constants.exponent
    if (exponent > _MAX_EXPONENT).any():
        raise RangeError(
            f"a 16x8 exponent must be in [-31, {_MAX_EXPONENT}], got {exponent.max()}: the real "
            f"multiplier must be below 2**{_MAX_EXPONENT}; is the output scale right?"
        )
    single_rounding.check(constants)


def channels_of_16x8(requant: Requant16x8) -> int:
    """Return how many channels a :class:`Requant16x8` describes; anything else is a DTypeError."""
    if not isinstance(requant, Requant16x8):
        raise DTypeError(f"requant must be a rounding.Requant16x8, got {type(requant).__name__}")
    return requant.channels
