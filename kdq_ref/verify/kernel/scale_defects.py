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
_LARGEST = np.float32(2.0**31)


def _requantizes(abi: Abi) -> bool:
    return abi.requantizes


def _scale(name: str, words: str, step: Scale) -> Defect:
    return Defect(name, words, {"scale": step}, _requantizes)


def _with_rule(rule: Rule) -> Scale:
    return lambda acc, bias, s: s.apply(acc, bias, rule)


def _bias(name: str, words: str, change: Callable[[np.ndarray], np.ndarray]) -> Defect:
    return Defect(name, words, {"bias": change}, _requantizes)


def _constants(name: str, words: str, change: Callable[[np.ndarray], np.ndarray]) -> Defect:
    """Multipliers that are changed on their way."""

    def step(scaling: Scaling) -> Scaling:
        return replace(scaling, real=change(scaling.real))

    return Defect(name, words, {"constants": step}, _requantizes)


def _bias_after(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    return s.apply(acc, np.zeros_like(bias), s.rule) + bias


def _no_left_shift(real: np.ndarray) -> np.ndarray:
    fraction, exponent = np.frexp(real)
    return np.ldexp(fraction, np.minimum(exponent, 0))


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


def _in_float32(total: np.ndarray, s: Scaling) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.clip(total.astype(np.float32) * s.arrays["scale"], -_LARGEST, _LARGEST)


def _float32_half_away(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    """``roundf``."""
    scaled = _in_float32(acc + bias, s).astype(np.float64)
    return (np.sign(scaled) * np.floor(np.abs(scaled) + 0.5)).astype(np.int64)


def _float32_half_added(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    """``(int32_t)(x + (x < 0 ? -0.5f : 0.5f))``."""
    scaled = _in_float32(acc + bias, s)
    return np.trunc(scaled + np.where(scaled < 0, np.float32(-0.5), np.float32(0.5))).astype(
        np.int64
    )


def _float32_half_up(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    """``floorf(x + 0.5f)``."""
    return np.floor(_in_float32(acc + bias, s) + np.float32(0.5)).astype(np.int64)


def _float32_truncated(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    return np.trunc(_in_float32(acc + bias, s)).astype(np.int64)


def _float32_zero_point_first(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    inside = _in_float32(acc + bias, s) + np.float32(s.zero_point)
    return np.rint(inside).astype(np.int64) - s.zero_point


def _float64_zero_point_first(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    return np.rint((acc + bias) * s.arrays["real"] + s.zero_point).astype(np.int64) - s.zero_point


def _short_multiplier(acc: np.ndarray, bias: np.ndarray, s: Scaling) -> np.ndarray:
    return np.rint((acc + bias) * s.arrays["scale"].astype(np.float64)).astype(np.int64)


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
        ("float32_half_away", "is in float32, half added and truncated", _float32_half_added),
        ("float32_half_up", "is in float32, ties up", _float32_half_up),
        ("float32_truncated", "is in float32, truncated towards zero", _float32_truncated),
        (
            "zero_point_first",
            "is in float32, and adds the zero point before rounding to even",
            _float32_zero_point_first,
        ),
        (
            "zero_point_first",
            "is in float64, and adds the zero point before rounding to even",
            _float64_zero_point_first,
        ),
        (
            "short_multiplier",
            "is in float64 to even, with a multiplier that was rounded to float32",
            _short_multiplier,
        ),
    )
    return [
        *rules,
        *(_scale(name, f"your requantization {words}", step) for name, words, step in roundings),
        _scale("bias_after_scale", "the bias is added after the shift", _bias_after),
        _bias("bias_ignored", "the bias is ignored", np.zeros_like),
        _bias("bias_subtracted", "the bias is subtracted", lambda b: -b),
        _bias("bias_twice", "the bias is added twice", lambda b: 2 * b),
        *_channel_defects(),
        _constants("shift_one_more", "the shift is one too many", lambda real: real / 2),
        _constants("shift_one_less", "the shift is one too few", lambda real: real * 2),
        _constants("no_left_shift", "left shifts (positive exponents) are ignored", _no_left_shift),
    ]


def _channel_defects() -> list[Defect]:
    found = [
        _constants(
            "channel_0",
            "every channel is scaled by the constants of channel 0",
            lambda real: real[:1],
        ),
        _bias(
            "bias_of_channel_0",
            "every channel gets the bias of channel 0",
            lambda bias: np.broadcast_to(bias[:1], bias.shape) if bias.size else bias,
        ),
    ]
    for by, word in ((1, "next"), (-1, "previous")):
        for fit in (np.clip, _around):
            words = f"channel index off by one: channels are scaled by the {word} one's constants"
            found.append(_constants("channel_off_by_one", words, _neighbours(by, fit)))
            words = f"channel index off by one: channels get the {word} one's bias"
            found.append(_bias("bias_off_by_one", words, _neighbours(by, fit)))
    return found


def _around(index: np.ndarray, low: int, high: int) -> np.ndarray:
    return index % (high + 1)


def _neighbours(by: int, fit: Callable[..., np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: values[fit(np.arange(len(values)) + by, 0, max(len(values) - 1, 0))]


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
