r"""Rules that read the 24-bit mantissa of the float32 multiplier and go on in integers.

.. math:: M = \mathrm{float32}(s_x s_w / s_y) = m \cdot 2^{e-31}, \quad m = 2^7 \cdot
    \text{mantissa}, \; m \in [2^{30}, 2^{31})

The sources reach into the bits of the number: ``mantissa = bits & 0x7FFFFF | 0x800000`` and an
exponent. ``m`` and ``e`` hold the same value in the form of the fixed-point rules, so that they
are these rules with another, coarser multiplier: its last 7 bits are 0. The sources assert that
``M >= 2**-32``; below, no int32 accumulator reaches one half, and ``m = e = 0`` says so.
"""

from __future__ import annotations

import numpy as np

from kdq_ref.errors import NotFiniteError, RangeError
from kdq_ref.rounding.fixed_point import check_fixed_point, round_once, round_twice
from kdq_ref.rounding.float32 import form_multiplier
from kdq_ref.rounding.rule import Constants, Rule, with_mantissa

_MIN_EXPONENT = -31
_QNNPACK_MAX, _RNDNU_MAX = 0, 8


def _constants(
    input_scale: np.ndarray, weight_scale: np.ndarray, output_scale: np.ndarray
) -> Constants:
    scale = form_multiplier(input_scale, weight_scale, output_scale)
    if not np.isfinite(scale).all():
        raise NotFiniteError("a float32 multiplier is not finite; is the output scale right?")
    fraction, exponent = np.frexp(scale.astype(np.float64))
    vanishes = exponent < _MIN_EXPONENT
    # A float32 has 24 bits: the product is exact, and its last 7 bits are 0.
    mantissa = (fraction * 2.0**31).astype(np.int64)
    return with_mantissa(np.where(vanishes, 0, mantissa), np.where(vanishes, 0, exponent))


def _check(constants: Constants, name: str, largest: int) -> None:
    m, e = constants.multiplier, constants.exponent
    check_fixed_point(constants)
    if (e > largest).any():
        raise RangeError(
            f"{name} takes multipliers below 2**{largest}, as its source asserts, got "
            f"{(m * 2.0 ** (e - 31.0)).max():.6g}; is the output scale right?"
        )
    if (m % 128).any():
        raise RangeError(f"{name} has 24 bits of mantissa: a multiple of 128, got {m.max()}")


def _check_rndnu(constants: Constants) -> None:
    _check(constants, "rndnu", _RNDNU_MAX)


def _check_qnnpack(constants: Constants) -> None:
    _check(constants, "qnnpack", _QNNPACK_MAX)


rndnu = Rule(
    name="rndnu",
    c_id=5,
    formula="(acc * (m / 128) + 2**(s - 1)) >> s with s = 24 - e and "
    "m * 2**(e - 31) = float32(float32(s_x * s_w) / s_y)",
    source="XNNPACK's rndnu kernels (src/qs8-requantization/qs8-requantization-rndnu-scalar.c, "
    "xnn_init_qs8_conv_minmax_rndnu_scalar_params), which its NEON kernels equal: vqdmulhq_s32, "
    "then vrshlq_s32",
    ties="up",
    uses=("multiplier", "exponent"),
    limits=(0.0, 2.0**_RNDNU_MAX),
    _constants=_constants,
    _check=_check_rndnu,
    _apply=round_once,
)
"""Round once, half up, by a multiplier of 24 bits."""

qnnpack = Rule(
    name="qnnpack",
    c_id=6,
    formula="h = (acc * m + 2**30) >> 31; then h / 2**(-e) rounded half away from zero, with "
    "m * 2**(e - 31) = float32(float32(s_x * s_w) / s_y)",
    source="QNNPACK qnnp_q31_requantize and qnnp_compute_scalar_requantization_params "
    "(src/qnnpack/requantization.h)",
    ties="away from zero",
    uses=("multiplier", "exponent"),
    limits=(0.0, 1.0),
    _constants=_constants,
    _check=_check_qnnpack,
    _apply=round_twice,
)
"""Round twice, ties away from zero, by a multiplier of 24 bits."""
