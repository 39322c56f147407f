"""Affine layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdq_ref import functional
from kdq_ref.checks import check_positive_int
from kdq_ref.errors import ShapeError
from kdq_ref.nn.init import draw
from kdq_ref.nn.layer import Gradients, Layer, Shape


class Dense(Layer):
    """Affine map ``y = x @ w + b``.

    Parameters
    ----------
    n_in, n_out : int
    bias : bool
    rng : numpy.random.Generator
        Draws the initial weights; there is no global seed.
    init : str
        A scheme of `kdq_ref.nn.init.draw`. The bias starts at zero.

    Notes
    -----
    With ``dy = dL/dy``: ``dx = dy @ w.T``, ``dw = x.T @ dy``, ``db = dy.sum(0)``.
    """

    draws = True

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        bias: bool = True,
        rng: np.random.Generator,
        init: str = "he",
    ) -> None:
        super().__init__()
        self.n_in = check_positive_int("n_in", n_in)
        self.n_out = check_positive_int("n_out", n_out)
        self.init = init
        self.params["w"] = draw((self.n_in, self.n_out), self.n_in, self.n_out, init, rng)
        if bias:
            self.params["b"] = np.zeros(self.n_out, np.float32)

    def config(self) -> dict[str, Any]:
        return {
            "n_in": self.n_in,
            "n_out": self.n_out,
            "bias": "b" in self.params,
            "init": self.init,
        }

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        """Map x : (B, n_in) to y : (B, n_out)."""
        return functional.dense_forward(x, self.params["w"], self.params.get("b"))

    def backward(
        self, dy: np.ndarray, cache: Any, *, input_gradient: bool = True
    ) -> tuple[np.ndarray | None, Gradients]:
        """Return dx : (B, n_in) and the gradients of ``w`` and ``b``."""
        dx, dw, db = functional.dense_backward(dy, cache, input_gradient=input_gradient)
        return dx, {"w": dw} if db is None else {"w": dw, "b": db}

    def output_shape(self, input_shape: Shape) -> Shape:
        if tuple(input_shape) != (self.n_in,):
            raise ShapeError(
                f"Dense was built for vectors of {self.n_in}, got shape {tuple(input_shape)}; "
                f"images need Flatten or GlobalAvgPool first"
            )
        return (self.n_out,)

    def macs(self, input_shape: Shape) -> int:
        return self.n_in * self.n_out
