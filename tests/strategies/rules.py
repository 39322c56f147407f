"""Constants for any rounding rule: a multiplier that the rule takes, as near as it can hold it."""

from __future__ import annotations

import numpy as np

from kdq_ref.rounding import Constants, Rule, qnnpack, reduced_16x8, rndnu

SHORT = (qnnpack, rndnu)
"""Rules with a mantissa of 24 bits."""


def held(rule: Rule, multiplier: np.ndarray, exponent: np.ndarray) -> Constants:
    """Every field holds ``M = multiplier * 2**(exponent - 31)``, cut to what the rule takes."""
    multiplier, exponent = np.asarray(multiplier, np.int64), np.asarray(exponent, np.int64)
    if rule in SHORT:
        multiplier = multiplier // 128 * 128
    if rule in (*SHORT, reduced_16x8):
        exponent = np.minimum(exponent, int(np.log2(rule.limits[1])))
    real = multiplier * 2.0 ** (exponent - 31.0)
    return Constants(
        multiplier.astype(np.int32), exponent.astype(np.int32), real.astype(np.float32), real
    )


def near(rule: Rule, real: np.ndarray, rng: np.random.Generator) -> Constants:
    """Constants for real multipliers, moved inside the rule's limits; biases where it has them."""
    real = np.minimum(real, rule.limits[1] * (1 - 2.0**-20))
    bias = rng.uniform(-500, 500, len(real)) if rule.keeps_bias_real else None
    return rule.constants(1.0, real, 1.0, bias)
