"""Dropout layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdq_ref import functional
from kdq_ref.checks import check_in_range
from kdq_ref.errors import InvalidArgumentError, RangeError
from kdq_ref.nn.layer import Gradients, Layer


class Dropout(Layer):
    """Drop each value with probability `p` in training, inverted (`functional.dropout_forward`).

    Parameters
    ----------
    p : float
        In [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = float(check_in_range("p", p, 0.0, 1.0))
        if self.p == 1:
            raise RangeError("p must be in [0, 1), got 1: nothing would pass")

    def config(self) -> dict[str, Any]:
        return {"p": self.p}

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Drop in training, else return `x` itself.

        Raises
        ------
        InvalidArgumentError
            In training without `rng`.
        """
        if not training or self.p == 0:
            return x, None
        if rng is None:
            raise InvalidArgumentError(
                "Dropout draws random numbers in training: pass rng=numpy.random.default_rng(seed)"
            )
        return functional.dropout_forward(x, self.p, rng)

    def backward(
        self, dy: np.ndarray, cache: np.ndarray | None, *, input_gradient: bool = True
    ) -> tuple[np.ndarray, Gradients]:
        """Return ``dy`` times the factors of the forward pass."""
        return dy if cache is None else functional.dropout_backward(dy, cache), {}
