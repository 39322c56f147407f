"""Layers that only rearrange or join values."""

from __future__ import annotations

import math

import numpy as np

from kdq_ref.errors import ShapeError
from kdq_ref.nn.layer import Gradients, Layer, Shape


class Flatten(Layer):
    """Turn every example into a vector, in row-major (H, W, C) order."""

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Shape]:
        """Map x : (B, ...) to y : (B, prod(...))."""
        return x.reshape(len(x), math.prod(x.shape[1:])), x.shape

    def backward(
        self, dy: np.ndarray, cache: Shape, *, input_gradient: bool = True
    ) -> tuple[np.ndarray, Gradients]:
        """Return `dy` in the input's shape."""
        return dy.reshape(cache), {}

    def output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)


class Add(Layer):
    """Sum of two values of the same shape (a residual connection)."""

    inputs = 2

    def forward(
        self,
        x: tuple[np.ndarray, np.ndarray],
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[np.ndarray, None]:
        """Map (a, b) to ``a + b``."""
        a, b = x
        return a + b, None

    def backward(
        self, dy: np.ndarray, cache: None, *, input_gradient: bool = True
    ) -> tuple[tuple[np.ndarray, np.ndarray], Gradients]:
        """Return ``(dy, dy)``."""
        return (dy, dy), {}

    def output_shape(self, input_shape: tuple[Shape, Shape]) -> Shape:
        """Shape of either input; they must be equal (there is no broadcasting)."""
        a, b = input_shape
        if a != b:
            raise ShapeError(f"Add joins values of equal shape, got {a} and {b}")
        return a
