"""Activation functions of PyTorch, in float32."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kdq_ref.verify.float_steps import fma32

# Of e**s - 1 - s over s**2, highest power first, and ln 2 in two parts (SLEEF, expf with 1.0 ULP).
_EXP = (
    0.000198527617612853646278381,
    0.00139304355252534151077271,
    0.00833336077630519866943359,
    0.0416664853692054748535156,
    0.166666671633720397949219,
    0.5,
)
_LN2_UPPER, _LN2_LOWER = np.float32(0.693145751953125), np.float32(1.428606765330187045e-06)


def exp_vectors(x: np.ndarray) -> np.ndarray:
    """``Sleef_expf8_u10`` with FMA, for float32 in [-104, 100]: at most one unit off."""
    power = np.rint(x * np.float32(1 / np.log(2)))
    s = fma32(power, -_LN2_UPPER, x)
    s = fma32(power, -_LN2_LOWER, s)
    u = np.full_like(s, np.float32(_EXP[0]))
    for coefficient in _EXP[1:]:
        u = fma32(u, s, np.float32(coefficient))
    u = np.float32(1) + fma32(s * s, u, s)
    return np.ldexp(u, power.astype(np.int32))


def sigmoid_vectors(x: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-x))``, each step in float32, with the exponential of vectors."""
    return np.float32(1) / (np.float32(1) + exp_vectors(-np.clip(x, -80, 80)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-x))``, each step in float32, the exponential correctly rounded."""
    exponential = np.exp(-np.clip(x, -80, 80).astype(np.float64)).astype(np.float32)
    return np.float32(1) / (np.float32(1) + exponential)


def tanh(x: np.ndarray) -> np.ndarray:
    """Correctly rounded to float32."""
    return np.tanh(x.astype(np.float64)).astype(np.float32)


def hard_swish(x: np.ndarray) -> np.ndarray:
    """``x * clamp(x + 3, 0, 6) / 6``, each step in float32."""
    gate = np.clip(x + np.float32(3), np.float32(0), np.float32(6))
    return x * gate / np.float32(6)


FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": sigmoid,
    "tanh": tanh,
    "hard_swish": hard_swish,
}
"""By operator, for one element."""

VECTOR_FUNCTIONS = FUNCTIONS | {"sigmoid": sigmoid_vectors}
"""By operator, for whole registers."""
