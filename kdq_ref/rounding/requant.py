"""From accumulators to int8: a rule, its constants, a zero point and a clamp."""

from __future__ import annotations

import copyreg
from dataclasses import dataclass

import numpy as np

from kdq_ref.checks import check_int
from kdq_ref.errors import DTypeError, InvalidArgumentError, RangeError, ShapeError
from kdq_ref.rounding.fixed_point import (
    double_rounding,
    double_rounding_ties_up,
    single_rounding,
)
from kdq_ref.rounding.float32 import fbgemm, float32_rne
from kdq_ref.rounding.float32_mantissa import qnnpack, rndnu
from kdq_ref.rounding.float64 import float64_half_away, onnx_spec
from kdq_ref.rounding.int16x8 import RULES_16X8
from kdq_ref.rounding.rule import Constants, Rule

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        single_rounding,
        double_rounding,
        float32_rne,
        double_rounding_ties_up,
        fbgemm,
        rndnu,
        qnnpack,
        float64_half_away,
        onnx_spec,
    )
}
"""Every rule of int32 accumulators by name; the first is the default."""


def get_rule(rule: str | Rule) -> Rule:
    """Return the rule of that name (a rule is returned as it is).

    Raises
    ------
    InvalidArgumentError
        For an unknown name; the message lists the known ones.
    """
    if isinstance(rule, Rule):
        return rule
    try:
        return RULES[rule]
    except (KeyError, TypeError):
        raise InvalidArgumentError(
            f"unknown rounding rule {rule!r}; choose one of {', '.join(RULES)}"
        ) from None


def _rule_by_name(name: str) -> Rule:
    return {**RULES, **RULES_16X8}[name]


# A rule is one object wherever it travels: copies and pickles hold its name.
copyreg.pickle(Rule, lambda rule: (_rule_by_name, (rule.name,)))


@dataclass(frozen=True, eq=False)
class Requant:
    r"""Turns accumulators into int8: ``clamp(rule(acc) + zero_point, qmin, qmax)``.

    Attributes
    ----------
    rule : Rule
    constants : Constants
        One set per output channel, or one for all.
    zero_point : int
        Of the output, in [-128, 127].
    qmin, qmax : int
        The clamp, ``-128 <= qmin <= qmax <= 127``: the range of int8, or tighter where a ReLU or
        ReLU6 is fused.
    """

    rule: Rule
    constants: Constants
    zero_point: int
    qmin: int = -128
    qmax: int = 127

    def __post_init__(self) -> None:
        for name in ("zero_point", "qmin", "qmax"):
            # Kept as Python's int: NumPy's would wrap around.
            object.__setattr__(self, name, check_int(name, getattr(self, name), -128, 127))
        if self.qmin > self.qmax:
            raise RangeError(f"qmin {self.qmin} must not exceed qmax {self.qmax}")
        if self.channels < 1:
            raise ShapeError("a Requant needs constants for at least one channel")
        if self.rule not in RULES.values():
            raise InvalidArgumentError(
                f"{self.rule!r} is not for int32 accumulators; choose one of {', '.join(RULES)}"
            )
        self.rule.check(self.constants)

    @property
    def channels(self) -> int:
        """How many channels the constants describe; 1 means the same for all."""
        return self.constants.channels

    def apply(self, acc: np.ndarray) -> np.ndarray:
        """Requantize ``acc`` : (..., C) integers inside int32 to int8 of the same shape."""
        if self.channels != 1 and (np.ndim(acc) == 0 or np.shape(acc)[-1] != self.channels):
            raise ShapeError(
                f"constants for {self.channels} channels do not fit accumulators of shape "
                f"{np.shape(acc)}: the last axis is the channel"
            )
        scaled = self.rule.apply(acc, self.constants)
        return np.clip(scaled + self.zero_point, self.qmin, self.qmax).astype(np.int8)


def channels_of(requant: Requant) -> int:
    """Return how many channels a :class:`Requant` describes; anything else is a DTypeError."""
    if not isinstance(requant, Requant):
        raise DTypeError(f"requant must be a rounding.Requant, got {type(requant).__name__}")
    return requant.channels
