"""The named requantization rules: how an int32 accumulator becomes an int8 value, exactly.

A rule is an object with a name, passed explicitly to fake-quantization, lowering, the engine and
the file format; nothing depends on a build flag. ``RULES`` lists them by name. 16x8 quantization
(int16 activations) has int64 accumulators, one rule, and its own ``Requant16x8``.
"""

from kdq_ref.rounding.fixed_point import double_rounding, single_rounding
from kdq_ref.rounding.float32 import float32_rne
from kdq_ref.rounding.int16x8 import (
    Requant16x8,
    channels_of_16x8,
    constants_16x8,
    multiply_16x8,
)
from kdq_ref.rounding.requant import RULES, Requant, channels_of, get_rule
from kdq_ref.rounding.rule import Constants, Rule

__all__ = [
    "RULES",
    "Constants",
    "Requant",
    "Requant16x8",
    "Rule",
    "channels_of",
    "channels_of_16x8",
    "constants_16x8",
    "double_rounding",
    "float32_rne",
    "get_rule",
    "multiply_16x8",
    "single_rounding",
]
