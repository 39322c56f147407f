"""Bring your own kernel: called through ``kdq_kernel_abi.h``, judged, and told what is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from kdq_ref.checks import check_in_range, check_int
from kdq_ref.rounding import Rule
from kdq_ref.verify.kernel.abi import ABIS, Abi, asset, get_abi
from kdq_ref.verify.kernel.examination import Examination
from kdq_ref.verify.kernel.function import Function
from kdq_ref.verify.kernel.grid import rule_for
from kdq_ref.verify.kernel.library import Library
from kdq_ref.verify.kernel.trial import Target
from kdq_ref.verify.kernel.verdict import Finding, Verdict

__all__ = [
    "ABIS",
    "Abi",
    "Finding",
    "Verdict",
    "asset",
    "get_abi",
    "verify_callable",
    "verify_library",
]

SECONDS, LIMIT = 10.0, 5.0


def verify_library(
    path: str | os.PathLike[str],
    symbol: str,
    *,
    abi: str,
    rule: str | Rule | None = None,
    seconds: float = SECONDS,
    seed: int = 0,
    limit: float = LIMIT,
) -> Verdict:
    """Verify a kernel in a shared library.

    Parameters
    ----------
    path : path-like
        The library.
    symbol : str
        The function.
    abi : str
        How it is called: a name of :data:`ABIS`; ``kdq_kernel_abi.h`` says what each means.
    rule : str or Rule, optional
        The rounding rule it should follow; ``single_rounding`` by default. None for products.
    seconds : float
        How long to look for faults; explaining those found takes more.
    seed : int
        Decides every draw.
    limit : float
        Seconds without a result after which a call hangs.

    Returns
    -------
    Verdict

    Raises
    ------
    KernelUnavailableError
        If the library cannot be loaded or has no such function.
    InvalidArgumentError, RangeError
        For an unknown abi or rule, or a rule where none applies.
    """
    known = get_abi(abi)
    asked = rule_for(known, rule)
    _check(seconds, seed, limit)
    return _verify(Library(path, symbol, known), known, asked, seconds, seed, limit)


def verify_callable(
    function: Callable[..., Any],
    *,
    abi: str,
    rule: str | Rule | None = None,
    seconds: float = SECONDS,
    seed: int = 0,
    limit: float = LIMIT,
) -> Verdict:
    """Verify a Python callable; :class:`~kdq_ref.verify.kernel.function.Function` says its form.

    Other parameters, the result and the errors are those of :func:`verify_library`.
    """
    known = get_abi(abi)
    asked = rule_for(known, rule)
    _check(seconds, seed, limit)
    return _verify(Function(function, known), known, asked, seconds, seed, limit)


def _check(seconds: float, seed: int, limit: float) -> None:
    check_in_range("seconds", seconds, 0.0)
    check_in_range("limit", limit, 0.01)
    check_int("seed", seed, 0)


def _verify(
    target: Target, abi: Abi, rule: Rule | None, seconds: float, seed: int, limit: float
) -> Verdict:
    return Examination(target, abi, rule, seconds, seed, limit).run()
