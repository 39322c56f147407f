"""Learning rates as functions of the step, counted from 0."""

from __future__ import annotations

import math
from collections.abc import Callable

from kdq_ref.checks import check_in_range, check_int, check_positive_int
from kdq_ref.errors import RangeError

Schedule = Callable[[int], float]


def constant(lr: float) -> Schedule:
    """Return `lr` at every step."""
    check_in_range("lr", lr, 0.0)
    return lambda step: lr


def step(lr: float, every: int, gamma: float = 0.1) -> Schedule:
    """Multiply by `gamma` every so many steps: ``lr * gamma ** (step // every)``."""
    check_in_range("lr", lr, 0.0)
    check_positive_int("every", every)
    check_in_range("gamma", gamma, 0.0, 1.0)
    return lambda step: lr * gamma ** (step // every)


def cosine(lr: float, steps: int, *, warmup: int = 0, final: float = 0.0) -> Schedule:
    r"""Rise linearly to `lr`, then fall along half a cosine.

    .. math:: final + \frac{lr - final}{2} (1 + \cos \pi \frac{step - warmup}{steps - warmup})

    Parameters
    ----------
    lr : float
        Reached at step `warmup`.
    steps : int
        From here on the rate is `final`.
    warmup : int
        Steps of ``lr * (step + 1) / (warmup + 1)``; fewer than `steps`.
    final : float

    Notes
    -----
    Loshchilov and Hutter (2016), arXiv:1608.03983, equation 5; warm-up as in Goyal et al. (2017),
    arXiv:1706.02677, section 2.2.
    """
    check_in_range("lr", lr, 0.0)
    check_in_range("final", final, 0.0)
    check_positive_int("steps", steps)
    check_int("warmup", warmup, 0, steps - 1)

    def rate(step: int) -> float:
        if step < warmup:
            return lr * (step + 1) / (warmup + 1)
        return _half_cosine(lr, final, (step - warmup) / (steps - warmup))

    return rate


def one_cycle(
    lr: float,
    steps: int,
    *,
    rise: float = 0.3,
    initial_divisor: float = 25.0,
    final_divisor: float = 1e4,
) -> Schedule:
    """Rise from ``lr / initial_divisor`` to `lr`, then fall far below the start.

    Parameters
    ----------
    lr : float
        The peak, at step ``rise * steps``.
    steps : int
        Length of the cycle; later steps keep the last rate.
    rise : float
        Fraction of the steps before the peak, in (0, 1).
    initial_divisor, final_divisor : float
        The cycle starts at ``lr / initial_divisor`` and ends at
        ``lr / (initial_divisor * final_divisor)``; at least 1.

    Notes
    -----
    Smith and Topin (2017), arXiv:1708.07120, with halves of cosines in place of straight lines.
    """
    check_in_range("lr", lr, 0.0)
    check_positive_int("steps", steps)
    check_in_range("initial_divisor", initial_divisor, 1.0)
    check_in_range("final_divisor", final_divisor, 1.0)
    if not 0 < rise < 1:
        raise RangeError(f"rise must be in (0, 1), got {rise!r}")
    first, peak = lr / initial_divisor, rise * steps

    def rate(step: int) -> float:
        if step < peak:
            return _half_cosine(first, lr, step / peak)
        return _half_cosine(lr, first / final_divisor, (step - peak) / (steps - peak))

    return rate


def _half_cosine(start: float, end: float, fraction: float) -> float:
    """Go from `start` at fraction 0 to `end` at fraction 1 and stay there."""
    return end + (start - end) * (1 + math.cos(math.pi * min(fraction, 1.0))) / 2
