"""What a requantization rule is: constants from scales, and one definition in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kdq_ref.checks import check_array
from kdq_ref.errors import NotFiniteError, RangeError, ShapeError


@dataclass(frozen=True, eq=False)
class Constants:
    """Per-channel constants of a rule; those a rule does not use are zero.

    Attributes
    ----------
    multiplier : (C,) int32 ndarray
        Fixed-point mantissa ``m`` in ``[2**30, 2**31)``, or 0.
    exponent : (C,) int32 ndarray
        ``e`` of ``M = m * 2**(e - 31)``.
    scale : (C,) float32 ndarray
        The real multiplier of float rules.
    """

    multiplier: np.ndarray
    exponent: np.ndarray
    scale: np.ndarray

    def __post_init__(self) -> None:
        channels = check_array("multiplier", self.multiplier, dtype=np.int32, ndim=1).shape
        check_array("exponent", self.exponent, dtype=np.int32, shape=channels)
        check_array("scale", self.scale, dtype=np.float32, shape=channels)

    @property
    def channels(self) -> int:
        """How many channels; 1 means the same constants for all."""
        return len(self.multiplier)


@dataclass(frozen=True, eq=False)
class Rule:
    """A requantization rule.

    Attributes
    ----------
    name : str
    c_id : int
        Its number in ``csrc/kdq.h`` (``enum kdq_rule``).
    formula : str
        The definition in one line.
    source : str
        Who computes so.
    """

    name: str
    c_id: int
    formula: str
    source: str
    _constants: Callable[[np.ndarray, np.ndarray, np.ndarray], Constants]
    _check: Callable[[Constants], None]
    _apply: Callable[[np.ndarray, Constants], np.ndarray]

    def constants(
        self, input_scale: float, weight_scale: np.ndarray | float, output_scale: float
    ) -> Constants:
        """Constants for ``M = input_scale * weight_scale / output_scale``, as the rule forms it.

        Parameters
        ----------
        input_scale, output_scale : float
        weight_scale : float or (C,) array

        Raises
        ------
        RangeError, NotFiniteError, ShapeError
            Scales must be positive and finite, and ``M`` small enough for the rule.
        """
        weight = np.atleast_1d(np.asarray(weight_scale, np.float64))
        if weight.ndim != 1:
            raise ShapeError(f"weight_scale must be a number or (C,), got shape {weight.shape}")
        scales = [np.asarray(input_scale, np.float64), weight, np.asarray(output_scale, np.float64)]
        for label, value in zip(("input", "weight", "output"), scales, strict=True):
            if not np.isfinite(value).all():
                raise NotFiniteError(f"{label}_scale must be finite, got {value}")
            if not (value > 0).all():
                raise RangeError(f"{label}_scale must be positive, got {value}")
        constants = self._constants(*scales)
        self._check(constants)
        return constants

    def check(self, constants: Constants) -> None:
        """Raise RangeError or NotFiniteError unless :meth:`apply` is defined for them."""
        self._check(constants)

    def apply(self, acc: np.ndarray, constants: Constants) -> np.ndarray:
        """Scale accumulators; the zero point and the clamp come after.

        Parameters
        ----------
        acc : (..., C) integer ndarray
            Values inside int32.
        constants : Constants
            With C channels, or 1.

        Returns
        -------
        (..., C) int64 ndarray
        """
        return self._apply(np.asarray(acc).astype(np.int64), constants)

    def __repr__(self) -> str:
        return f"<rounding rule {self.name}>"
