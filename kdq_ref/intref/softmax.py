r"""Softmax in integers: a table of exponentials, a sum and one exact rounding.

With ``d = max(q) - q`` along the last axis, a table ``T`` made once from the input's scale, and
``S`` the sum of ``T[d]`` over the axis:

.. math:: T[d] = rne(2^{30} e^{-d \cdot scale}), \quad
          y = \min(\lfloor (256\, T[d] + \lfloor S/2 \rfloor) / S \rfloor, 255) - 128

The input's zero point cancels. The output has scale 1/256 and zero_point -128, which is what
TensorFlow Lite fixes for int8 softmax [1]_. So ``y + 128`` is ``256 T[d] / S`` rounded to nearest,
halves up: where S is odd there are no halves, and rounding it down changes nothing.

**Bounds.** ``T`` fits int32. With at most ``2**16`` classes ``2**30 <= S <= 2**46``, and no
intermediate leaves int64.

**Error against the real softmax** of ``scale * q``, with N classes:

.. math:: |y + 128 - \min(256 p, 255)| \le 1/2 + N \cdot 2^{-23}

Proof: ``T[d] = 2**30 * exp(-d * scale) + r`` with ``|r| <= 1/2``, and ``r = 0`` for the largest
code. So S is ``2**30 * sum(exp) + R`` with ``|R| <= (N - 1) / 2``, and ``T[d] / S - p`` is
``(r - p * R) / S``, at most ``(1 + N - 1) / 2 / 2**30``; 256 times that is ``N * 2**-23``, and
rounding adds one half. The minimum with 255 only brings values closer.

**Others.** TensorFlow Lite's reference kernel, and bit for bit CMSIS-NN's ``arm_softmax_s8``, have
the same output but no exact definition in between: they rescale ``d`` to Q5.26, drop what is too
far below the maximum, take the exponential from a polynomial in fixed point, sum in Q12.19 and
multiply by an iterated reciprocal, each step with a rounding of its own [2]_. TensorFlow Lite's
optimized kernel computes with a table of ``expf`` in float32. Here nothing is rounded but the table
and the result, so neighbouring codes may differ from theirs where ``256 p`` is near a half.

.. [1] TensorFlow Lite 8-bit quantization specification, SOFTMAX.
.. [2] ``tensorflow/lite/kernels/internal/reference/softmax.h``, ``exp_on_negative_values`` and
   ``GetReciprocal``; CMSIS-NN ``arm_nn_softmax_common_s8.c``.
"""

from __future__ import annotations

from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal

import numpy as np

from kdq_ref import operands
from kdq_ref.checks import check_array

_DIGITS = 40
_VANISHES = 22
"""``2**30 * exp(-22)`` is below 0.3, and rounds to 0."""


def softmax_table(scale: float) -> np.ndarray:
    """Exponentials ``rne(exp(-d * scale) * 2**30)`` for every distance d below the maximum.

    Correctly rounded, whatever the platform: in decimal arithmetic, with as many digits as the
    rounding needs (Ziv's method), and from exactly the float64 that ``scale`` is.

    Parameters
    ----------
    scale : float
        Of the codes that softmax will take; positive, finite, a normal float32.

    Returns
    -------
    (256,) int32 ndarray
        From ``2**30``, never rising, at least 0.

    Raises
    ------
    DTypeError, RangeError
    """
    step = Decimal(operands.check_scale(scale))  # exact
    exact = _context(2000)  # 771 digits hold 255 times any float64
    table = np.zeros(256, np.int32)
    for d in range(256):
        distance = exact.multiply(step, Decimal(d))
        if distance > _VANISHES:
            break
        table[d] = _rounded_exponential(distance, _DIGITS)
    return table


def softmax(q: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis, as codes: ``real = (y + 128) / 256``.

    ``min((256 * T + S // 2) // S, 255) - 128`` with ``T = table[max(q) - q]`` and its sum ``S``.
    A larger code never gets a smaller probability, and equal codes get the same. All N codes equal
    and N above 512: every probability is nearer to 0 than to 1/256.

    Parameters
    ----------
    q : (..., C) int8 ndarray
        With 1 to ``2**16`` classes C.
    table : (256,) int32 ndarray
        Of :func:`softmax_table`.

    Returns
    -------
    (..., C) int8 ndarray

    Raises
    ------
    ShapeError, DTypeError, RangeError

    Examples
    --------
    >>> table = softmax_table(0.1)
    >>> (softmax(np.array([20, 10, 0, -128], np.int8), table).astype(int) + 128).tolist()
    [170, 63, 23, 0]
    """
    q = check_array("q", q, dtype=np.int8)
    operands.softmax_shape(q.shape, table)
    codes = q.astype(np.int64)
    terms = np.asarray(table, np.int64)[codes.max(axis=-1, keepdims=True) - codes]
    total = terms.sum(axis=-1, keepdims=True)
    return (np.minimum((256 * terms + total // 2) // total, 255) - 128).astype(np.int8)


def _rounded_exponential(distance: Decimal, digits: int) -> int:
    """``rne(exp(-distance) * 2**30)``, from so many digits or, if they do not decide, from more.

    They do at last: the exponential of a rational number other than 0 is transcendental, no tie.
    """
    while True:
        context = _context(digits)
        # Correctly rounded, so the exact value is less than one unit of the last digit away.
        near = context.exp(distance.copy_negate())  # a minus sign would round
        low = _rounded_entry(context.next_minus(near), digits)
        if low == _rounded_entry(context.next_plus(near), digits):
            return low
        digits *= 2


def _rounded_entry(exponential: Decimal, digits: int) -> int:
    exact = _context(digits + 10)  # 2**30 has 10
    entry = exact.multiply(exponential, Decimal(operands.SOFTMAX_ONE))
    return int(exact.to_integral_value(entry))


def _context(digits: int) -> Context:
    # Spelled out: the defaults are the process's to change.
    return Context(digits, ROUND_HALF_EVEN, MIN_EMIN, MAX_EMAX, capitals=1, clamp=0, traps=[])
