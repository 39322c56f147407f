"""Why two requantizations give one accumulator different codes, step by step and in words."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from kdq_ref.errors import ShapeError
from kdq_ref.rounding.difference import AnyRequant
from kdq_ref.rounding.fixed_point import double_rounding, double_rounding_ties_up, high_half
from kdq_ref.rounding.float32_mantissa import qnnpack
from kdq_ref.rounding.int16x8 import double_rounding_16x8, reduced_16x8, reduced_mantissa

_TWICE = (double_rounding, double_rounding_ties_up, qnnpack, double_rounding_16x8)


@dataclass(frozen=True)
class Derivation:
    """How one requantization comes to the code of an accumulator, in exact numbers.

    Attributes
    ----------
    rule : str
    ties : str
        Where its last rounding takes a tie.
    acc : int
    multiplier : Fraction
        ``M`` as the constants hold it.
    product : Fraction
        ``acc * M``, with the bias where the rule adds it.
    losses : tuple of str
        Each rounding before the last one that lost something, in words.
    value : Fraction
        What the last rounding gets.
    result : int
        What it makes of it, before the zero point and the clamp.
    code : int
    """

    rule: str
    ties: str
    acc: int
    multiplier: Fraction
    product: Fraction
    losses: tuple[str, ...]
    value: Fraction
    result: int
    code: int

    @property
    def is_tie(self) -> bool:
        """Whether the last rounding gets a number half way between two integers."""
        return (2 * self.value).denominator == 1 and self.value.denominator == 2

    def __str__(self) -> str:
        line = f"{self.rule}: {self.acc} * M = {decimal(self.product)}"
        line += "".join(f"; {loss}" for loss in self.losses)
        line += f"; a tie, {self.ties}" if self.is_tie else ""
        return f"{line}: {self.result}"


def derive(requant: AnyRequant, acc: int) -> Derivation:
    """Follow one accumulator through the steps of a rule.

    Parameters
    ----------
    requant : Requant or Requant16x8
        Of one channel.
    acc : int
        Inside int32.

    Raises
    ------
    ShapeError
    """
    if requant.channels != 1:
        raise ShapeError("one channel at a time can be explained")
    rule, constants, ties = requant.rule, requant.constants, requant.rule.ties
    array = np.array([acc], np.int64)
    bias = Fraction(float(constants.bias[0]))
    if "real" in rule.uses:
        held = Fraction(float(constants.real[0]))
        product = acc * held
        value, losses = _rounded(product, float(acc) * float(constants.real[0]), "float64")
    elif "scale" in rule.uses:
        held = Fraction(float(constants.scale[0]))
        product = (acc + bias) * held
        value, losses = _in_float32(acc, constants.bias[0], constants.scale[0])
    else:
        held = _fixed_point(requant)
        product = value = acc * held
        losses = []
        if rule in _TWICE:
            high, right = high_half(array, constants)
            if right[0] == 0:
                ties = "up"  # there is nothing left to shift: the first rounding is the last
            else:
                value = Fraction(int(high[0]), 2 ** int(right[0]))
                if value != product:
                    losses = [f"rounded to 32 bits first, {decimal(value)}"]
    result = int(rule.apply(array, constants)[0])
    if abs(value - result) > 1:
        losses = [*losses, f"which does not fit int32 and becomes {result}"]
    code = int(requant.apply(array)[0])
    return Derivation(rule.name, ties, acc, held, product, tuple(losses), value, result, code)


def _fixed_point(requant: AnyRequant) -> Fraction:
    """The multiplier that a mantissa and an exponent stand for."""
    constants = requant.constants
    unit = Fraction(2) ** (int(constants.exponent[0]) - 31)
    if requant.rule is reduced_16x8:
        return int(reduced_mantissa(constants)[0]) * 2**16 * unit
    return int(constants.multiplier[0]) * unit


def _in_float32(acc: int, bias: np.float32, scale: np.float32) -> tuple[Fraction, list[str]]:
    with np.errstate(over="ignore"):
        number = np.float32(acc)
        total = number + bias
        product = total * scale
    losses = []
    if int(number) != acc:
        losses.append(f"float32 makes {acc} {int(number)}")
    if Fraction(float(total)) != Fraction(float(number)) + Fraction(float(bias)):
        losses.append(f"float32 makes the sum with the bias {float(total):.9g}")
    exact = Fraction(float(total)) * Fraction(float(scale))
    value, last = _rounded(exact, float(product), "float32")
    return value, losses + last


def _rounded(exact: Fraction, number: float, precision: str) -> tuple[Fraction, list[str]]:
    if not np.isfinite(number):
        return exact, [f"{precision} makes the product infinite"]
    value = Fraction(number)
    lost = [] if value == exact else [f"{precision} rounds the product to {decimal(value)}"]
    return value, lost


def reasons(a: AnyRequant, b: AnyRequant, acc: int) -> tuple[str, ...]:
    """Say in words what makes two requantizations of ``acc`` differ; nothing if they do not.

    Raises
    ------
    ShapeError
    """
    first, second = derive(a, acc), derive(b, acc)
    if first.code == second.code:
        return ()
    said = []
    if first.is_tie and first.value == second.value and first.ties != second.ties:
        said.append(
            f"ties: {decimal(first.value)} goes {first.ties} under {first.rule}, "
            f"{second.ties} under {second.rule}"
        )
    for one, other in ((first, second), (second, first)):
        for loss in one.losses:
            if loss not in other.losses:
                said.append(f"{one.rule}: {decimal(one.product)}, {loss}")
    if first.multiplier != second.multiplier:
        relative = abs(float(second.multiplier / first.multiplier - 1))
        said.append(
            f"the multiplier: {first.rule} holds {float(first.multiplier):.12g}, {second.rule} "
            f"{float(second.multiplier):.12g} (relative difference {relative:.2g})"
        )
    for one in (first, second):
        if one.is_tie and first.value != second.value:
            said.append(f"{one.rule}: {decimal(one.value)} is a tie and goes {one.ties}")
    return tuple(said)


def decimal(value: Fraction) -> str:
    """Write a number so that a tie and what lies next to one can be told apart.

    >>> decimal(Fraction(-1, 2))
    '-0.5'
    >>> decimal(Fraction(1, 2) - Fraction(1, 2**40))
    '0.5 - 9.09e-13'
    """
    half = Fraction(round(2 * value), 2)
    rest = value - half
    if rest and abs(rest) < Fraction(1, 10**6):
        return f"{float(half):.10g} {'-' if rest < 0 else '+'} {abs(float(rest)):.3g}"
    return f"{float(value):.10g}"
