"""Activation functions of ONNX Runtime in float32, as its AVX2 and FMA kernels round them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kdq_ref.verify.float_steps import fma32

# Of Eigen's rational approximations, highest power first (mlas/logistic.cpp, mlas/tanh.cpp).
_LOGISTIC_P = (
    4.37031012579801e-11,
    1.15627324459942e-07,
    6.08574864600143e-05,
    8.51377133304701e-03,
    2.48287947061529e-01,
)
_LOGISTIC_Q = (
    6.10247389755681e-13,
    5.76102136993427e-09,
    6.29106785017040e-06,
    1.70198817374094e-03,
    1.16817656904453e-01,
    9.93151921023180e-01,
)
_TANH_P = (
    -2.76076847742355e-16,
    2.00018790482477e-13,
    -8.60467152213735e-11,
    5.12229709037114e-08,
    1.48572235717979e-05,
    6.37261928875436e-04,
    4.89352455891786e-03,
)
_TANH_Q = (
    1.19825839466702e-06,
    1.18534705686654e-04,
    2.26843463243900e-03,
    4.89352518554385e-03,
)


def _horner(coefficients: Sequence[float], x: np.ndarray) -> np.ndarray:
    value = np.full_like(x, np.float32(coefficients[0]))
    for coefficient in coefficients[1:]:
        value = fma32(value, x, np.float32(coefficient))
    return value


def _rational(
    numerator: Sequence[float], denominator: Sequence[float], limit: float, x: np.ndarray
) -> np.ndarray:
    """``x * P(x**2) / Q(x**2)`` for x clamped to ``[-limit, limit]``."""
    x = np.clip(x, np.float32(-limit), np.float32(limit))
    square = x * x
    return x * _horner(numerator, square) / _horner(denominator, square)


def logistic(x: np.ndarray) -> np.ndarray:
    """Sigmoid of float32: a ratio of polynomials plus one half, not below 0."""
    return np.maximum(_rational(_LOGISTIC_P, _LOGISTIC_Q, 18, x) + np.float32(0.5), np.float32(0))


def tanh(x: np.ndarray) -> np.ndarray:
    """Hyperbolic tangent of float32: a ratio of polynomials."""
    return _rational(_TANH_P, _TANH_Q, 9, x)


def hard_swish(x: np.ndarray) -> np.ndarray:
    """``x * clamp(x / 6 + 1/2, 0, 1)`` in float32, the sixth a float32 factor."""
    gate = np.float32(1 / 6) * x + np.float32(0.5)
    return x * np.clip(gate, np.float32(0), np.float32(1))


FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": logistic,
    "tanh": tanh,
    "hard_swish": hard_swish,
}
"""By operator."""
