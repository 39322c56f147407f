"""The named requantization rules: how an int32 accumulator becomes an int8 value, exactly.

A rule is an object with a name, passed explicitly to fake-quantization, lowering, the engine and
the file format; nothing depends on a build flag. ``RULES`` lists them by name, the README beside
this file explains them. 16x8 quantization (int16 activations) has rules of its own,
``RULES_16X8``, and its own ``Requant16x8``.
"""

from kdq_ref.rounding.fixed_point import (
    double_rounding,
    double_rounding_ties_up,
    single_rounding,
)
from kdq_ref.rounding.float32 import fbgemm, float32_rne
from kdq_ref.rounding.float32_mantissa import qnnpack, rndnu
from kdq_ref.rounding.float64 import float64_half_away, onnx_spec
from kdq_ref.rounding.int16x8 import (
    RULES_16X8,
    Requant16x8,
    channels_of_16x8,
    double_rounding_16x8,
    reduced_16x8,
    single_rounding_16x8,
)
from kdq_ref.rounding.requant import RULES, Requant, channels_of, get_rule
from kdq_ref.rounding.rule import Constants, Rule

__all__ = [
    "RULES",
    "RULES_16X8",
    "Constants",
    "Requant",
    "Requant16x8",
    "Rule",
    "channels_of",
    "channels_of_16x8",
    "double_rounding",
    "double_rounding_16x8",
    "double_rounding_ties_up",
    "fbgemm",
    "float32_rne",
    "float64_half_away",
    "get_rule",
    "onnx_spec",
    "qnnpack",
    "reduced_16x8",
    "rndnu",
    "single_rounding",
    "single_rounding_16x8",
]
