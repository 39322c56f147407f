r"""Rules whose multiplier is a 31-bit integer mantissa and a power of two.

.. math:: M = \frac{s_x s_w}{s_y} \approx m \cdot 2^{e-31}, \quad m \in [2^{30}, 2^{31})

``f, e = frexp(M)``; ``m = round_half_away(f * 2**31)``; if that reaches ``2**31`` it is halved and
``e`` grows by one; if ``e < -31`` both become 0 and every result is 0. So TensorFlow Lite's
``QuantizeMultiplier`` (``tensorflow/lite/kernels/internal/quantization_util.cc``), in float64.

Where a source shifts an accumulator left by ``e`` bits and overflows, its result is undefined or
wraps; here it saturates, and the int8 clamp behind ends at the right side.
"""

from __future__ import annotations

import numpy as np

from kdq_ref.errors import NotFiniteError, RangeError
from kdq_ref.rounding.rule import Constants, Rule, with_mantissa

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
_MAX_EXPONENT = 30
_USES = ("multiplier", "exponent")
_LIMITS = (0.0, 2.0**_MAX_EXPONENT)


def _mantissa_and_exponent(real: np.ndarray) -> Constants:
    """Split positive float64 ``real`` : (C,) into mantissa and exponent."""
    fraction, exponent = np.frexp(real)
    # fraction * 2**31 is exact in float64 with 53 bits, and so is adding one half.
    mantissa = np.floor(fraction * 2.0**31 + 0.5).astype(np.int64)
    carried = mantissa == 2**31
    mantissa = np.where(carried, mantissa // 2, mantissa)
    exponent = np.where(carried, exponent + 1, exponent)
    vanishes = exponent < -31
    return with_mantissa(np.where(vanishes, 0, mantissa), np.where(vanishes, 0, exponent))


def fixed_point_constants(
    input_scale: np.ndarray, weight_scale: np.ndarray, output_scale: np.ndarray
) -> Constants:
    """Mantissa and exponent of ``M`` formed in float64; scales are float64, the weight's (C,).

    Raises
    ------
    NotFiniteError
    """
    with np.errstate(over="ignore"):  # reported here
        real = input_scale * weight_scale / output_scale
    if not np.isfinite(real).all():
        raise NotFiniteError("a real multiplier is beyond float64; is the output scale right?")
    return _mantissa_and_exponent(real)


def check_fixed_point(constants: Constants) -> None:
    """Raise RangeError unless every mantissa is normalised and every exponent can be shifted by."""
    m, e = constants.multiplier, constants.exponent
    if not ((m == 0) | (m >= 2**30)).all():
        bad = int(m[(m != 0) & (m < 2**30)][0])
        raise RangeError(f"a fixed-point multiplier must be 0 or in [2**30, 2**31), got {bad}")
    if not ((e >= -31) & (e <= _MAX_EXPONENT)).all():
        bad = int(e[(e < -31) | (e > _MAX_EXPONENT)][0])
        raise RangeError(
            f"a fixed-point exponent must be in [-31, {_MAX_EXPONENT}], got {bad}: "
            f"the real multiplier must be below 2**{_MAX_EXPONENT}; is the output scale right?"
        )


def round_once(acc: np.ndarray, constants: Constants) -> np.ndarray:
    """``(acc * m + 2**(30 - e)) >> (31 - e)`` : half up of the exact product."""
    shift = 31 - constants.exponent.astype(np.int64)
    # |acc * m| < 2**62 and the rounding term is at most 2**61: int64 never overflows.
    product = acc * constants.multiplier.astype(np.int64)
    return (product + (np.int64(1) << (shift - 1))) >> shift


def high_half(acc: np.ndarray, constants: Constants) -> tuple[np.ndarray, np.ndarray]:
    """gemmlowp's rounding doubling high multiply ``h``, and the right shift that is left to do."""
    m = constants.multiplier.astype(np.int64)
    left = np.maximum(constants.exponent, 0).astype(np.int64)
    shifted = np.clip(acc << left, _INT32_MIN, _INT32_MAX)
    # m is never INT32_MIN, so gemmlowp's one saturating case cannot occur. Its nudge for negative
    # products, 1 - 2**30 and a division that truncates, is half up as well.
    return (shifted * m + 2**30) >> 31, np.maximum(-constants.exponent, 0).astype(np.int64)


def round_twice(acc: np.ndarray, constants: Constants) -> np.ndarray:
    """Half up to ``h``, then ``h / 2**max(-e, 0)`` half away from zero."""
    high, right = high_half(acc, constants)
    mask = (np.int64(1) << right) - 1
    remainder = high & mask
    return (high >> right) + (remainder > (mask >> 1) + (high < 0))


def _round_twice_up(acc: np.ndarray, constants: Constants) -> np.ndarray:
    high, right = high_half(acc, constants)
    return (high + ((np.int64(1) << right) >> 1)) >> right


single_rounding = Rule(
    name="single_rounding",
    c_id=0,
    formula="(acc * m + 2**(30 - e)) >> (31 - e)",
    source="TensorFlow Lite and LiteRT built with TFLITE_SINGLE_ROUNDING "
    "(kernels/internal/common.cc), ruy's portable path (apply_multiplier.cc) and the present "
    "source of its AVX2 kernel (kernel_avx2_fma.cc), CMSIS-NN built with "
    "CMSIS_NN_USE_SINGLE_ROUNDING",
    ties="up",
    uses=_USES,
    limits=_LIMITS,
    _constants=fixed_point_constants,
    _check=check_fixed_point,
    _apply=round_once,
)
"""Round once, half up, in int64: the default."""

double_rounding = Rule(
    name="double_rounding",
    c_id=1,
    formula="h = ((acc << max(e, 0)) * m + 2**30) >> 31; "
    "then h / 2**max(-e, 0) rounded half away from zero",
    source="gemmlowp fixedpoint.h (SaturatingRoundingDoublingHighMul, RoundingDivideByPOT), "
    "TensorFlow Lite reference kernels and TensorFlow Lite Micro (kernels/internal/common.cc), "
    "CMSIS-NN's arm_nn_requantize by default",
    ties="away from zero",
    uses=_USES,
    limits=_LIMITS,
    _constants=fixed_point_constants,
    _check=check_fixed_point,
    _apply=round_twice,
)
"""Round half up to 32 bits, then half away from zero at the shift."""

double_rounding_ties_up = Rule(
    name="double_rounding_ties_up",
    c_id=3,
    formula="h = ((acc << max(e, 0)) * m + 2**30) >> 31; "
    "then (h + 2**(k - 1)) >> k with k = max(-e, 0), or h where k = 0",
    source="TensorFlow Lite's vectors, MultiplyByQuantizedMultiplier4Rows: vqrdmulhq_s32, then "
    "vrshlq_s32 (kernels/internal/common.h); LiteRT 2.3 without delegates on AVX2, measured",
    ties="up",
    uses=_USES,
    limits=_LIMITS,
    _constants=fixed_point_constants,
    _check=check_fixed_point,
    _apply=_round_twice_up,
)
"""Round half up to 32 bits, then half up again at the shift."""
