"""Wrong requantization: other rules, other constants, other orders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kdq_ref.rounding import RULES, Rule
from kdq_ref.verify.kernel.abi import Abi
from kdq_ref.verify.kernel.defects import Defect
from kdq_ref.verify.kernel.problem import Scaling

Scale = Callable[[np.ndarray, np.ndarray, Scaling], np.ndarray]
OTHER_RULE = "rule_"


def _requantizes(abi: Abi) -> bool:
    return abi.requantizes


def _scale(name: str, words: str, step: Scale) -> Defect:
    return Defect(name, words, {"scale": step}, _requantizes)


def _with_rule(rule: Rule) -> Scale:
    return lambda acc, bias, s: s.apply(acc, bias, rule)


def _with_bias(change: Callable[[np.ndarray], np.ndarray]) -> Scale:
    return lambda acc, bias, s: s.apply(acc, change(bias), s.rule)


def _bias_after(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    return s.apply(acc, np.zeros_like(bias), s.rule) + bias


def _with_channels(pick: Callable[[int], np.ndarray]) -> Scale:
    """Constants of other channels."""

    def step(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
        real = s.real[pick(len(s.real))]
        return replace(s, real=real).apply(acc, bias, s.rule)

    return step


def _shifted(by: int) -> Scale:
    """A right shift by one more, or one less: another multiplier."""

    def step(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
        return replace(s, real=s.real * 2.0**by).apply(acc, bias, s.rule)

    return step


def _no_left_shift(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    fraction, exponent = np.frexp(s.real)
    return replace(s, real=np.ldexp(fraction, np.minimum(exponent, 0))).apply(acc, bias, s.rule)


def _exact(total: np.ndarray, s: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """``acc * m`` and the right shift that makes it the result."""
    product = total * s.arrays["multiplier"].astype(np.int64)
    return product, 31 - s.arrays["exponent"].astype(np.int64)


def _floor(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    product, shift = _exact(acc + bias, s)
    return product >> shift


def _truncate(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    product, shift = _exact(acc + bias, s)
    return np.sign(product) * (np.abs(product) >> shift)


def _half_away(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    product, shift = _exact(acc + bias, s)
    return np.sign(product) * ((np.abs(product) + (np.int64(1) << (shift - 1))) >> shift)


def _half_even(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    product, shift = _exact(acc + bias, s)
    down, rest = product >> shift, product & ((np.int64(1) << shift) - 1)
    half = np.int64(1) << (shift - 1)
    return down + ((rest > half) | ((rest == half) & (down & 1 == 1)))


def _high(total: np.ndarray, s: Scaling, half: int) -> tuple[np.ndarray, np.ndarray]:
    exponent = s.arrays["exponent"].astype(np.int64)
    left, right = np.maximum(exponent, 0), np.maximum(-exponent, 0)
    shifted = np.clip(total << left, -(2**31), 2**31 - 1)
    return (shifted * s.arrays["multiplier"].astype(np.int64) + half) >> 31, right


def _high_then_floor(half: int) -> Scale:
    def step(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
        high, right = _high(acc + bias, s, half)
        return high >> right

    return step


def _high_floor_then_up(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    high, right = _high(acc + bias, s, 0)
    return (high + ((np.int64(1) << right) >> 1)) >> right


def _float32_half_away(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    with np.errstate(over="ignore"):
        scaled = (acc + bias).astype(np.float32) * s.arrays["scale"]
    scaled = np.clip(scaled.astype(np.float64), -(2.0**31), 2.0**31)
    return (np.sign(scaled) * np.floor(np.abs(scaled) + 0.5)).astype(np.int64)


def _float32_truncated(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    with np.errstate(over="ignore"):
        scaled = (acc + bias).astype(np.float32) * s.arrays["scale"]
    return np.trunc(np.clip(scaled, -(2.0**31), 2.0**31)).astype(np.int64)


_RULES_DESCRIBED = {
    "double_rounding_ties_up": "`double_rounding` with ties up",
    "float32_rne": "in float32, ties to even (`float32_rne`)",
    "single_rounding": "`single_rounding`: one rounding, ties up",
}


def scale_defects() -> list[Defect]:
    """What may be wrong with bias, constants and rounding."""
    rules = [
        _scale(
            OTHER_RULE + name,
            f"your requantization is {_RULES_DESCRIBED.get(name, f'`{name}`')}",
            _with_rule(rule),
        )
        for name, rule in RULES.items()
    ]
    roundings = (
        ("floor", "rounds down: the rounding term is missing", _floor),
        ("truncation", "truncates towards zero", _truncate),
        ("half_away", "rounds the exact product half away from zero", _half_away),
        ("half_even", "rounds the exact product half to even", _half_even),
        ("floor_after_high", "rounds to 32 bits, then down at the shift", _high_then_floor(2**30)),
        ("floor_twice", "rounds down twice: to 32 bits, and at the shift", _high_then_floor(0)),
        ("floor_then_up", "rounds down to 32 bits, then half up", _high_floor_then_up),
        ("float32_half_away", "is in float32, ties away from zero", _float32_half_away),
        ("float32_truncated", "is in float32, truncated towards zero", _float32_truncated),
    )
    return [
        *rules,
        *(_scale(name, f"your requantization {words}", step) for name, words, step in roundings),
        _scale("bias_after_scale", "the bias is added after the shift", _bias_after),
        _scale("bias_ignored", "the bias is ignored", _with_bias(np.zeros_like)),
        _scale("bias_subtracted", "the bias is subtracted", _with_bias(lambda b: -b)),
        _scale("bias_twice", "the bias is added twice", _with_bias(lambda b: 2 * b)),
        *_channel_defects(),
        _scale("shift_one_more", "the shift is one too many", _shifted(-1)),
        _scale("shift_one_less", "the shift is one too few", _shifted(1)),
        _scale("no_left_shift", "positive exponents (left shifts) are ignored", _no_left_shift),
    ]


def _channel_defects() -> list[Defect]:
    found = [
        _scale(
            "channel_0",
            "every channel is scaled by the constants of channel 0",
            _with_channels(lambda n: np.zeros(1, np.intp)),
        ),
        _scale(
            "bias_of_channel_0",
            "every channel gets the bias of channel 0",
            _with_bias(lambda b: np.broadcast_to(b[:1], b.shape) if b.size else b),
        ),
    ]
    for by, word in ((1, "next"), (-1, "previous")):
        for pick in (_neighbours(by, np.clip), _neighbours(by, _around)):
            words = f"channel index off by one: channels are scaled by the {word} one's constants"
            found.append(_scale("channel_off_by_one", words, _with_channels(pick)))
            words = f"channel index off by one: channels get the {word} one's bias"
            shifted = _with_bias(lambda b, pick=pick: b[pick(len(b))])  # type: ignore[misc]
            found.append(_scale("bias_off_by_one", words, shifted))
    return found


def _around(index: np.ndarray, low: int, high: int) -> np.ndarray:
    return index % (high + 1)


def _neighbours(by: int, fit: Callable[..., np.ndarray]) -> Callable[[int], np.ndarray]:
    return lambda n: fit(np.arange(n) + by, 0, max(n - 1, 0))


def finish_defects() -> list[Defect]:
    """What may be wrong with zero point and clamp."""

    def limits(dtype: str) -> tuple[int, int]:
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)

    def wrapped(y: np.ndarray, dtype: str) -> np.ndarray:
        return y.astype(dtype).astype(np.int64)

    steps: tuple[tuple[str, str, Callable[[np.ndarray, Scaling, str], np.ndarray]], ...] = (
        (
            "output_zero_point_sign",
            "the output's zero point has the wrong sign: it is subtracted",
            lambda y, s, d: np.clip(y - s.zero_point, s.qmin, s.qmax),
        ),
        (
            "output_zero_point_ignored",
            "the output's zero point is ignored",
            lambda y, s, d: np.clip(y, s.qmin, s.qmax),
        ),
        (
            "clamp_before_zero_point",
            "the clamp comes before the zero point",
            lambda y, s, d: np.clip(np.clip(y, s.qmin, s.qmax) + s.zero_point, *limits(d)),
        ),
        (
            "clamp_before_zero_point",
            "the clamp comes before the zero point, whose sum then wraps around",
            lambda y, s, d: wrapped(np.clip(y, s.qmin, s.qmax) + s.zero_point, d),
        ),
        (
            "saturation_before_zero_point",
            "results saturate before the zero point is added, and once more behind",
            lambda y, s, d: np.clip(np.clip(y, *limits(d)) + s.zero_point, s.qmin, s.qmax),
        ),
        (
            "clamp_ignored",
            "qmin and qmax are ignored: results only saturate",
            lambda y, s, d: np.clip(y + s.zero_point, *limits(d)),
        ),
        (
            "no_saturation",
            "results wrap around instead of saturating",
            lambda y, s, d: np.clip(wrapped(y + s.zero_point, d), s.qmin, s.qmax),
        ),
        (
            "no_clamp",
            "there is no clamp: results wrap around",
            lambda y, s, d: wrapped(y + s.zero_point, d),
        ),
        (
            "upper_clamp_only",
            "qmin is ignored",
            lambda y, s, d: np.clip(y + s.zero_point, limits(d)[0], s.qmax),
        ),
        (
            "lower_clamp_only",
            "qmax is ignored",
            lambda y, s, d: np.clip(y + s.zero_point, s.qmin, limits(d)[1]),
        ),
        (
            "narrow_range",
            "results never reach -128",
            lambda y, s, d: np.clip(y + s.zero_point, max(s.qmin, limits(d)[0] + 1), s.qmax),
        ),
    )
    return [Defect(name, words, {"finish": step}, _requantizes) for name, words, step in steps]
