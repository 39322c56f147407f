"""Functions of the C library in float32, to the bit: those of glibc 2.28 to 2.40.

Measured with 2.36: no difference over 1,400,000 arguments.
Runtimes make tables with the ``expf`` and ``tanhf`` of the C library that they find, and neither is
always correctly rounded. Older and newer ones, and those of other systems, may differ in a last
bit, and a table in a code where that bit decides a tie.
"""

from __future__ import annotations

import numpy as np

_STEPS = 32
_POWERS = np.array([float(np.exp2(np.longdouble(i) / _STEPS)) for i in range(_STEPS)])
_CUBIC = tuple(
    float.fromhex(digits) / _STEPS**power
    for digits, power in (
        ("0x1.c6af84b912394p-5", 3),
        ("0x1.ebfce50fac4f3p-3", 2),
        ("0x1.62e42ff0c52d6p-1", 1),
    )
)
_STEPS_PER_E = float.fromhex("0x1.71547652b82fep+0") * _STEPS


def expf(x: np.ndarray) -> np.ndarray:
    """``exp`` of float32: ``2**(k/32)`` from a table times a cubic in the rest, in float64.

    ``sysdeps/ieee754/flt-32/e_expf.c``, from ARM's optimized routines.
    """
    steps = _STEPS_PER_E * np.asarray(x, np.float32).astype(np.float64)
    whole = np.rint(steps)
    rest = steps - whole
    index = whole.astype(np.int64)
    cubic = (_CUBIC[0] * rest + _CUBIC[1]) * (rest * rest) + (_CUBIC[2] * rest + 1.0)
    with np.errstate(over="ignore", under="ignore"):
        scale = np.ldexp(_POWERS[index % _STEPS], index // _STEPS)
        return (cubic * scale).astype(np.float32)


def _float32(bits: int) -> np.float32:
    return np.float32(np.array(bits, np.uint32).view(np.float32))


_LN2_HIGH, _LN2_LOW = _float32(0x3F317180), _float32(0x3717F7D1)
_PER_LN2 = _float32(0x3FB8AA3B)
_HALF_LN2, _THREE_HALVES_LN2 = _float32(0x3EB17218), _float32(0x3F851592)
_Q = tuple(_float32(bits) for bits in (0xBD088889, 0x3AD00D01, 0xB8A670CD, 0x36867E54, 0xB457EDBB))
_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)


def _expm1f(x: np.ndarray) -> np.ndarray:
    """``exp(x) - 1`` of float32 with ``2**-25 <= |x| < 44`` (``s_expm1f.c``, from fdlibm)."""
    size = np.abs(x)
    near = (size > _HALF_LN2) & (size < _THREE_HALVES_LN2)
    far = size >= _THREE_HALVES_LN2
    sign = np.where(x < 0, np.float32(-1), _ONE)
    counted = np.trunc(_PER_LN2 * x + sign * _HALF)
    k = np.where(far, counted, np.where(near, sign, np.float32(0))).astype(np.float32)
    high = x - k * _LN2_HIGH
    low = k * _LN2_LOW
    reduced = high - low
    lost = (high - reduced) - low
    half = _HALF * reduced
    square = reduced * half
    q = _Q[4]
    for coefficient in _Q[3::-1]:
        q = coefficient + square * q
    r = _ONE + square * q
    t = np.float32(3) - r * half
    e = square * ((r - t) / (np.float32(6) - reduced * t))
    unreduced = reduced - (reduced * e - square)
    e = (reduced * (e - lost) - lost) - square
    power = np.ldexp(_ONE, k.astype(np.int32))
    small = np.ldexp(_ONE, -k.astype(np.int32))
    once = np.where(
        reduced < np.float32(-0.25),
        -_TWO * (e - (reduced + _HALF)),
        _ONE + _TWO * (reduced - e),
    )
    return np.select(
        [k == 0, k == -1, k == 1, k <= -2, k < 23],
        [
            unreduced,
            _HALF * (reduced - e) - _HALF,
            once,
            (_ONE - (e - reduced)) * power - _ONE,
            ((_ONE - small) - (e - reduced)) * power,
        ],
        ((reduced - (e + small)) + _ONE) * power,
    ).astype(np.float32)


def tanhf(x: np.ndarray) -> np.ndarray:
    """``tanh`` of float32, by ``exp(2 x) - 1`` (``s_tanhf.c``, from fdlibm)."""
    x = np.asarray(x, np.float32)
    size = np.abs(x)
    inside = np.clip(size, np.float32(2.0**-26), np.float32(21.9))
    grown = _expm1f(_TWO * inside)
    fallen = _expm1f(-_TWO * inside)
    value = np.where(inside >= 1, _ONE - _TWO / (grown + _TWO), -fallen / (fallen + _TWO))
    value = np.where(size < np.float32(2.0**-26), size, np.where(size >= 22, _ONE, value))
    return np.copysign(value, x).astype(np.float32)
