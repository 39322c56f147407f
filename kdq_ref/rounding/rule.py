"""What a requantization rule is: constants from scales, and one definition in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kdq_ref.checks import check_array, check_finite
from kdq_ref.errors import InvalidArgumentError, NotFiniteError, RangeError, ShapeError

# Stand for zeros, one for each channel.
_NO_REAL, _NO_BIAS = np.zeros(0, np.float64), np.zeros(0, np.float32)


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
        The real multiplier of rules in float32.
    real : (C,) float64 ndarray
        The real multiplier of rules in float64. Zeros if left out.
    bias : (C,) float32 ndarray
        In units of the accumulator, for a rule that keeps the bias real. Zeros if left out.
    """

    multiplier: np.ndarray
    exponent: np.ndarray
    scale: np.ndarray
    real: np.ndarray = field(default_factory=lambda: _NO_REAL)
    bias: np.ndarray = field(default_factory=lambda: _NO_BIAS)

    def __post_init__(self) -> None:
        channels = check_array("multiplier", self.multiplier, dtype=np.int32, ndim=1).shape
        check_array("exponent", self.exponent, dtype=np.int32, shape=channels)
        check_array("scale", self.scale, dtype=np.float32, shape=channels)
        for name, missing in (("real", _NO_REAL), ("bias", _NO_BIAS)):
            if getattr(self, name) is missing:
                object.__setattr__(self, name, np.zeros(channels, missing.dtype))
            check_array(name, getattr(self, name), dtype=missing.dtype, shape=channels)

    @property
    def channels(self) -> int:
        """How many channels; 1 means the same constants for all."""
        return len(self.multiplier)


def with_mantissa(multiplier: np.ndarray, exponent: np.ndarray) -> Constants:
    """Constants of a fixed-point rule, (C,) integers each."""
    return Constants(
        multiplier=multiplier.astype(np.int32),
        exponent=exponent.astype(np.int32),
        scale=np.zeros(multiplier.shape, np.float32),
    )


@dataclass(frozen=True, eq=False)
class Rule:
    """A requantization rule.

    Attributes
    ----------
    name : str
    c_id : int
        Its number in ``csrc/kdq.h`` (``enum kdq_rule``; ``enum kdq_rule_s16`` for 16x8).
    formula : str
        The definition in one line.
    source : str
        Who computes so, and where that is written.
    ties : str
        Where its last rounding takes a tie: ``"up"``, ``"away from zero"`` or ``"to even"``.
    uses : tuple of str
        The fields of :class:`Constants` that it reads.
    limits : tuple of float
        Multipliers ``M`` that it takes: ``limits[0] <= M < limits[1]``, up to the rounding of
        ``M`` to the rule's own form.
    """

    name: str
    c_id: int
    formula: str
    source: str
    ties: str
    uses: tuple[str, ...]
    limits: tuple[float, float]
    _constants: Callable[[np.ndarray, np.ndarray, np.ndarray], Constants]
    _check: Callable[[Constants], None]
    _apply: Callable[[np.ndarray, Constants], np.ndarray]
    _bias: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] | None = None

    @property
    def keeps_bias_real(self) -> bool:
        """Whether the bias is not an integer inside the accumulator but a constant of the rule."""
        return self._bias is not None

    def constants(
        self,
        input_scale: float,
        weight_scale: np.ndarray | float,
        output_scale: float,
        bias: np.ndarray | None = None,
    ) -> Constants:
        """Constants for ``M = input_scale * weight_scale / output_scale``, as the rule forms it.

        Parameters
        ----------
        input_scale, output_scale : float
        weight_scale : float or (C,) array
            A number stands for one scale per tensor.
        bias : (C,) float array, optional
            Real bias, for a rule with :attr:`keeps_bias_real` only.

        Raises
        ------
        RangeError, NotFiniteError, ShapeError
            Scales must be positive and finite, and ``M`` inside :attr:`limits`.
        InvalidArgumentError
            For a bias where the rule wants it inside the accumulator.
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
        if bias is not None:
            constants = self._add_bias(constants, bias, scales[0], weight_scale)
        self._check(constants)
        return constants

    def _add_bias(
        self,
        constants: Constants,
        bias: np.ndarray,
        input_scale: np.ndarray,
        weight_scale: np.ndarray | float,
    ) -> Constants:
        if self._bias is None:
            raise InvalidArgumentError(
                f"{self.name} has the bias inside the accumulator: quantize it to int32 with the "
                "scale input_scale * weight_scale and add it there"
            )
        length = None if np.ndim(weight_scale) == 0 else constants.channels
        bias = check_finite("bias", check_array("bias", np.asarray(bias), shape=(length,)))
        units = self._bias(bias, input_scale, np.asarray(weight_scale, np.float64))
        fields = {
            name: np.broadcast_to(value, units.shape).copy()
            for name, value in vars(constants).items()
        }
        return Constants(**{**fields, "bias": units})

    def check(self, constants: Constants) -> None:
        """Raise RangeError or NotFiniteError unless :meth:`apply` is defined for them."""
        self._check(constants)

    def apply(self, acc: np.ndarray, constants: Constants) -> np.ndarray:
        """Scale accumulators; the zero point and the clamp come after.

        Parameters
        ----------
        acc : (..., C) integer ndarray
            Values inside int32 (for 16x8, what the rule says).
        constants : Constants
            With C channels, or 1.

        Returns
        -------
        (..., C) int64 ndarray
        """
        return self._apply(np.asarray(acc).astype(np.int64), constants)

    def __repr__(self) -> str:
        return f"<rounding rule {self.name}>"
