"""Activation functions of PyTorch, by how many elements they take at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kdq_ref.verify.dialects import libm, sleef

_ONE = np.float32(1)
_FAR = 100
"""Where ``exp`` overflows float32 on one side, and vanishes beside 1 on the other."""


def sigmoid_vectors(x: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-x))``, each step in float32, with SLEEF's exponential."""
    return _ONE / (_ONE + sleef.expf(-np.clip(x, -_FAR, _FAR)))


def sigmoid_table(x: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-x))``, each step in float32, with the C library's exponential."""
    return _ONE / (_ONE + libm.expf(-np.clip(x, -_FAR, _FAR)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-x))`` with the C library's exponential in float32, the rest in float64.

    In ``1.0f / (1.0 + std::exp(-x))`` one of the ones is a double.
    """
    exponential = libm.expf(-np.clip(x, -_FAR, _FAR)).astype(np.float64)
    return (1.0 / (1.0 + exponential)).astype(np.float32)


def hard_swish(x: np.ndarray) -> np.ndarray:
    """``x * clamp(x + 3, 0, 6) / 6``, each step in float32."""
    gate = np.clip(x + np.float32(3), np.float32(0), np.float32(6))
    return x * gate / np.float32(6)


Functions = dict[str, Callable[[np.ndarray], np.ndarray]]
"""By operator, of float32."""

FUNCTIONS: Functions = {"sigmoid": sigmoid, "tanh": libm.tanhf, "hard_swish": hard_swish}
"""For one element."""

VECTOR_FUNCTIONS: Functions = FUNCTIONS | {"sigmoid": sigmoid_vectors, "tanh": sleef.tanhf}
"""For whole registers."""

TABLE_FUNCTIONS: Functions = FUNCTIONS | {"sigmoid": sigmoid_table}
"""For the tables of QNNPACK."""
