"""The cases of ``exhaustive.py``: constants, and what all 2^32 accumulators would reveal."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kdq_ref.rounding import RULES, RULES_16X8, Constants, Requant, Requant16x8

FIXED_POINT = ("single_rounding", "double_rounding", "double_rounding_ties_up")
INT8, INT16 = (-128, 127), (-(2**15), 2**15 - 1)
ALL_RULES = {**RULES, **RULES_16X8}
FIRST_16X8 = 16  # RULES_S16 of exhaustive.h

# Primes leave a remainder at every accumulator; those next to a power of two leave the smallest.
NEXT_AFTER_2_30, NEAR_ROOT, LAST_BUT_ONE, LAST = 1073741827, 1518500279, 2147483629, 2**31 - 1
MULTIPLIERS = (2**30, LAST, NEXT_AFTER_2_30, LAST_BUT_ONE, NEAR_ROOT)
EXPONENTS = (-31, -30, -23, -13, -12, -9, -2, -1, 0, 1, 7, 8, 9, 22, 23, 24, 25, 29, 30)
EVERY_PAIR = (*zip(itertools.cycle(MULTIPLIERS), EXPONENTS, strict=False), (0, 0), (LAST, -8))

# float32: least and greatest subnormal, greatest number.
LEAST, SUBNORMAL, GREATEST = 2.0**-149, 2.0**-126 - 2.0**-149, (2.0 - 2.0**-23) * 2.0**127
ODD_SCALE = float(np.float32(0.1 / 32))

LANES = "a constant of its own in every lane: mixed-up lanes"
LANE_PAIRS = tuple((2**30 + k * 30678337, -9 - k % 5) for k in range(35))
LANE_SCALES = tuple((1 + k / 64) * 2.0 ** (-9 - k % 5) for k in range(35))


@dataclass(frozen=True)
class Case:
    """Constants for all 2^32 accumulators, and what they would reveal."""

    why: str
    rule: str
    constants: tuple[Any, ...]  # what the rule reads: (multiplier, exponent), scale, (scale, bias)
    zero_point: int = 0
    clamp: tuple[int, int] = INT8
    biases: tuple[int, ...] = ()
    judged: bool = False  # by NumPy, one accumulator after the other
    high: int = 0  # to int16: added to accumulators times 2^32
    rotation: int = 0

    @property
    def channels(self) -> int:
        return max(len(self.constants), len(self.biases))

    @property
    def to_int16(self) -> bool:
        return self.rule in RULES_16X8

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of results."""
        return np.dtype(np.int16 if self.to_int16 else np.int8)

    @property
    def judged_by_intervals(self) -> bool:
        """NumPy says on which intervals the code is constant, from the codes at their ends."""
        return not (self.judged or self.channels > 1 or self.high)

    @property
    def uses(self) -> tuple[str, ...]:
        return ALL_RULES[self.rule].uses

    def requant(self) -> Requant | Requant16x8:
        values = zip(*self.constants, strict=True) if len(self.uses) > 1 else [self.constants]
        fields = dict(zip(self.uses, values, strict=True))
        zeros = [0] * len(self.constants)
        constants = Constants(
            np.array(fields.get("multiplier", zeros), np.int32),
            np.array(fields.get("exponent", zeros), np.int32),
            np.array(fields.get("scale", zeros), np.float32),
            np.array(fields.get("real", zeros), np.float64),
            np.array(fields.get("bias", zeros), np.float32),
        )
        if self.to_int16:
            return Requant16x8(constants, *self.clamp, RULES_16X8[self.rule])
        return Requant(RULES[self.rule], constants, self.zero_point, *self.clamp)

    def accumulators(self, sums: np.ndarray) -> np.ndarray:
        """``sums`` : int32, as the rule takes them."""
        return sums + (np.int64(self.high) << 32) if self.to_int16 else sums

    def arguments(self, count: int) -> list[str]:
        return [
            *map(str, (self._c_id, self.high or self.zero_point, *self.clamp)),
            ",".join(map(str, self.biases)) or "none",
            ",".join(map(self._written, self.constants)),
            *map(str, (self.first(count), count)),
        ]

    @property
    def _c_id(self) -> int:
        return ALL_RULES[self.rule].c_id + FIRST_16X8 * self.to_int16

    def _written(self, constant: Any) -> str:
        numbers = constant if len(self.uses) > 1 else (constant,)
        return ":".join(str(n) if isinstance(n, int) else float(n).hex() for n in numbers)

    def first(self, count: int) -> int:
        """The first accumulator, modulo 2^32."""
        return (-(count // 2) - self.rotation) % 2**32

    def __str__(self) -> str:
        if len(self.constants) > 1:
            constants = f"{len(self.constants)} channels"
        elif "multiplier" in self.uses:
            constants = "{} * 2^({} - 31)".format(*self.constants[0])
        else:
            numbers = self.constants[0] if len(self.uses) > 1 else self.constants
            constants = " with bias ".join(f"{n:.9g}" for n in numbers)
        shifted = f", rotated by {self.rotation}" if self.rotation else ""
        low, high = self.clamp
        start = f"upper half {self.high}" if self.to_int16 else f"zero point {self.zero_point}"
        after = f"{start}, clamp [{low}, {high}]"
        return f"{self.rule}: {constants}, {after}: {self.why}{shifted}"


def wraps(channels: int) -> tuple[int, ...]:
    """Biases all over int32, both ends among them."""
    spread = [k * 0x9E3779B1 % 2**32 - 2**31 for k in range(channels - 1)]
    return (*spread, 2**31 - 1)


def fixed_point_cases(rule: str) -> list[Case]:
    """What can go wrong with a multiplier and an exponent."""

    def case(why: str, m: int, e: int, zero_point: int = 0, **rest: Any) -> Case:
        return Case(why, rule, ((m, e),), zero_point, **rest)

    return [
        case("the longest right shift; one tie in all, at -2^31", 2**30, -31),
        case("results of +-2 at most; their sum with the zero point saturates", LAST, -30, 127),
        case("a tie at every odd multiple of 2^13, of either sign", 2**30, -13),
        case("ties, and hardly anything saturates: all 32 bits matter", 2**30, -23, judged=True),
        case("the same, but every result is rounded", LAST, -24),
        case("the last exponent without a left shift for single_rounding", 2**30, -2, 127),
        case("the first with one; double_rounding rounds ties twice", 2**30, -1),
        case("every odd accumulator a tie", 2**30, 0, 127, clamp=(0, 127)),
        case("just beyond each tie: the low bits of the product decide", NEXT_AFTER_2_30, 0),
        case("just short of each tie: the low bits of the product decide", LAST, -1),
        case("the first left shift for double_rounding", NEAR_ROOT, 1, 3),
        case(
            "a left shift that saturates, by 24 in vectors",
            2**30,
            22 if rule == FIXED_POINT[0] else 24,
        ),
        case("the first left shift that vectors cut", LAST, 23 if rule == FIXED_POINT[0] else 25),
        case(
            "the longest left shift; fused ReLU at the other end", 2**30, 30, -128, clamp=(-128, 0)
        ),
        Case(LANES, rule, LANE_PAIRS, 3),
        Case(
            "every exponent and 0 side by side, behind biases that wrap; a tight clamp",
            rule,
            EVERY_PAIR,
            -1,
            (-101, 99),
            wraps(len(EVERY_PAIR)),
            judged=True,
        ),
        case("one constant behind biases that wrap", LAST_BUT_ONE, -12, 5, biases=wraps(19)),
    ]


def float_cases() -> list[Case]:
    """What can go wrong with a float32 multiplier."""
    ends = (
        0.0,
        LEAST,
        SUBNORMAL,
        2.0**-126,
        2.0**-32,
        2.0**-31,
        2.0**-24,
        ODD_SCALE,
        0.5,
        1.0,
        1.5,
        2.0**7,
        2.0**9,
        2.0**31,
        2.0**96,
        2.0**97,
        GREATEST,
    )

    def case(why: str, scale: float, zero_point: int = 0, **rest: Any) -> Case:
        return Case(why, "float32_rne", (scale,), zero_point, **rest)

    return [
        case("every odd accumulator a tie", 0.5),
        case("a tie at every odd multiple of 2^12, of either sign", 2.0**-13, -1),
        case(
            "hardly anything saturates; above 2^24 the conversion to float32 rounds",
            2.0**-24,
            judged=True,
        ),
        case("conversion and product both round", (2 - 2.0**-23) * 2.0**-24, 127),
        case("only the product rounds", ODD_SCALE, clamp=(0, 127)),
        case("results are the accumulators", 1.0, 127),
        case("products up to the +-512 to which C clamps", 2.0**-22, -128),
        case("subnormal products", LEAST, 1),
        case("products of +-infinity", GREATEST, -128),
        case("scale 0: products of -0; a clamp to one value", 0.0, 5, clamp=(-1, -1)),
        Case(LANES, "float32_rne", LANE_SCALES, 3),
        Case(
            "every magnitude side by side, behind biases that wrap; a tight clamp",
            "float32_rne",
            ends,
            -1,
            (-101, 99),
            wraps(len(ends)),
            judged=True,
        ),
        case("one constant behind biases that wrap", 2.0**-13, 5, biases=wraps(19)),
    ]


def short_mantissa_cases(rule: str) -> list[Case]:
    """24 bits of multiplier: m is a multiple of 128; qnnpack shifts to the right only."""
    last, odd = 2**31 - 128, 1518500352
    largest = 0 if rule == "qnnpack" else 8

    def case(why: str, m: int, e: int, zero_point: int = 0, **rest: Any) -> Case:
        return Case(why, rule, ((m, e),), zero_point, **rest)

    return [
        case("ties, and hardly anything saturates: all 32 bits matter", 2**30, -23, judged=True),
        case("every result is rounded", odd, -24),
        case("the longest right shift; one tie in all, at -2^31", 2**30, -31),
        case("twice rounded ties", 2**30, -1, -1),
        case("the largest multiplier", last, largest, 5, clamp=(-101, 99)),
        Case(LANES, rule, tuple((m // 128 * 128, e) for m, e in LANE_PAIRS), 3),
    ]


def fbgemm_cases() -> list[Case]:
    """A bias that is added in float32, and products that do not fit int32."""

    def case(why: str, scale: float, bias: float, zero_point: int = 0, **rest: Any) -> Case:
        return Case(why, "fbgemm", ((scale, bias),), zero_point, **rest)

    return [
        case("above 2^24 conversion and sum round", 2.0**-24, 0.75, judged=True),
        case("ties moved by half a unit", 2.0**-13, 0.5, -1),
        case("a bias beyond int32", 2.0**-26, 3e9, 127),
        case("only the product rounds", ODD_SCALE, -12345.678, clamp=(0, 127)),
        case("products beyond int32 at both ends", 1.5, 100.25, 3),
        case("hardly any product fits", GREATEST, -1.0, -128),
        Case(LANES, "fbgemm", tuple((s, 1e4 * s * k) for k, s in enumerate(LANE_SCALES)), 3),
        case("behind biases that wrap", 2.0**-13, -3.25, 5, biases=wraps(19)),
    ]


def real_cases(rule: str) -> list[Case]:
    """float64: 53 bits hold every accumulator."""

    def case(why: str, real: float, zero_point: int = 0, **rest: Any) -> Case:
        return Case(why, rule, (real,), zero_point, **rest)

    return [
        case("ties, and hardly anything saturates", 2.0**-24, judged=True),
        case("the product rounds", 0.1 / 2**24, 127),
        case("a tie at every odd multiple of 2^12, of either sign", 2.0**-13, -1),
        case("just below each tie", float(np.nextafter(0.5, 0)), clamp=(0, 127)),
        case("products beyond int32", 1e6, 3, clamp=(-101, 99)),
        case("infinite products", 1e300),
        Case(LANES, rule, LANE_SCALES, 3),
        case("behind biases that wrap", 2.0**-13, 5, biases=wraps(19)),
    ]


def reduced_16x8_cases() -> list[Case]:
    """15 bits of multiplier, accumulators of 48 bits."""
    lanes = tuple((m, e - 10) for m, e in LANE_PAIRS)

    def case(why: str, m: int, e: int, high: int = 0, **rest: Any) -> Case:
        return Case(why, "reduced_16x8", ((m, e),), high=high, **{"clamp": INT16, **rest})

    return [
        case("ties, and hardly anything saturates", 2**30, -15, judged=True),
        case("every result is rounded", NEAR_ROOT, -16),
        case("a mantissa that would be rounded up to 16 bits", LAST, -14),
        case("the longest shift, of the lowest accumulators", 2**30, -31, 1 - 2**15),
        case("the longest shift, of the highest", NEXT_AFTER_2_30, -31, 2**15 - 1),
        case("results around zero, of accumulators beyond int32", LAST, -31, -1, judged=True),
        case("the largest multiplier", LAST, 7, clamp=(-101, 30000)),
        Case(LANES, "reduced_16x8", lanes, clamp=INT16, high=3),
    ]


def wrapping_16x8_cases(rule: str) -> list[Case]:
    """The low half of the accumulator by a rule of int8, to int16."""
    last = 22 if rule == "single_rounding_16x8" else 24

    def case(why: str, m: int, e: int, high: int = 0, **rest: Any) -> Case:
        return Case(why, rule, ((m, e),), high=high, **{"clamp": INT16, **rest})

    return [
        case("ties, and hardly anything saturates", 2**30, -15, judged=True),
        case("every result is rounded", LAST, -16),
        case("the longest right shift", 2**30, -31, 1 - 2**15),
        case("twice rounded ties", 2**30, -1, 7),
        case("the last left shift that vectors do not cut", 2**30, last),
        case("the first that they cut", LAST, last + 1, -1),
        case("the longest left shift", 2**30, 30, clamp=(-30000, 101)),
        Case("every exponent and 0 side by side", rule, EVERY_PAIR, clamp=INT16, high=5),
    ]


def usual_cases() -> list[Case]:
    """The default set: minutes."""
    return [
        *(case for rule in FIXED_POINT for case in fixed_point_cases(rule)),
        *float_cases(),
        *short_mantissa_cases("rndnu"),
        *short_mantissa_cases("qnnpack"),
        *fbgemm_cases(),
        *real_cases("float64_half_away"),
        *real_cases("onnx_spec"),
        *reduced_16x8_cases(),
        *wrapping_16x8_cases("single_rounding_16x8"),
        *wrapping_16x8_cases("double_rounding_16x8"),
    ]


def more_cases(usual: list[Case]) -> list[Case]:
    """The usual cases, all of them before NumPy; all pairs of constants; all rotations."""
    offsets = itertools.cycle(itertools.product((-128, 0, 127), (INT8, (0, 127), (-6, 11))))
    scales = [
        mantissa * 2.0**exponent
        for mantissa in (1.0, 1.5, 1 + 2.0**-23, 2 - 2.0**-23)
        for exponent in (-126, -32, -31, -25, -23, -20, -12, -2, -1, 0, 1, 6, 9, 97, 127)
    ]
    pairs = list(itertools.product((*MULTIPLIERS, 0), EXPONENTS))
    return [
        *(replace(case, judged=True) for case in usual),
        *(
            Case("one of all pairs", rule, (pair,), *next(offsets))
            for rule in FIXED_POINT
            for pair in pairs
        ),
        *(Case("one of many scales", "float32_rne", (s,), *next(offsets)) for s in scales),
        *(
            replace(case, judged=False, rotation=r)
            for case in usual
            for r in range(1, len(case.constants))
        ),
    ]
