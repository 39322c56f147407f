"""Normalisation layers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kdq_ref import functional
from kdq_ref.checks import check_in_range, check_positive_int
from kdq_ref.errors import ShapeError
from kdq_ref.nn.layer import Gradients, Layer, Shape


class Moments(NamedTuple):
    """One micro-batch's statistics per channel: biased variance over so many `values`."""

    values: int
    mean: np.ndarray
    var: np.ndarray


class BatchNorm(Layer):
    r"""Batch normalisation of the last axis (Ioffe and Szegedy 2015, arXiv:1502.03167).

    Parameters
    ----------
    channels : int
    eps : float
        Added to the variance.
    momentum : float
        Weight of a new batch in the running statistics.

    Notes
    -----
    In training the batch's own moments are used and returned in the cache; the running statistics
    only change in `update_statistics`: ``running += momentum * (batch - running)``, where the
    variance is the unbiased one (algorithm 2 of the paper). In inference the running statistics
    are used, which makes the layer an affine map that folds into the convolution before it.
    """

    def __init__(self, channels: int, *, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.channels = check_positive_int("channels", channels)
        self.eps = float(check_in_range("eps", eps, 0.0))
        self.momentum = float(check_in_range("momentum", momentum, 0.0, 1.0))
        self.params["gamma"] = np.ones(self.channels, np.float32)
        self.params["beta"] = np.zeros(self.channels, np.float32)
        self.buffers["mean"] = np.zeros(self.channels, np.float32)
        self.buffers["var"] = np.ones(self.channels, np.float32)

    def config(self) -> dict[str, Any]:
        return {"channels": self.channels, "eps": self.eps, "momentum": self.momentum}

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        """Normalise x : (B, channels) or (B, H, W, channels)."""
        gamma, beta = self.params["gamma"], self.params["beta"]
        if training:
            y, cache = functional.batch_norm_forward(x, gamma, beta, eps=self.eps)
        else:
            mean, var = self.buffers["mean"], self.buffers["var"]
            y, cache = functional.batch_norm_inference_forward(
                x, gamma, beta, mean, var, eps=self.eps
            )
        return y, (training, cache)

    def backward(
        self, dy: np.ndarray, cache: Any, *, input_gradient: bool = True
    ) -> tuple[np.ndarray, Gradients]:
        """Return dx and the gradients of ``gamma`` and ``beta``."""
        training, inner = cache
        if training:
            dx, dgamma, dbeta = functional.batch_norm_backward(dy, inner)
        else:
            dx, dgamma, dbeta = functional.batch_norm_inference_backward(dy, inner)
        return dx, {"gamma": dgamma, "beta": dbeta}

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) not in (1, 3) or input_shape[-1] != self.channels:
            raise ShapeError(
                f"BatchNorm was built for {self.channels} channels, got shape {input_shape}"
            )
        return tuple(input_shape)

    def statistics(self, cache: Any) -> Moments | None:
        """Return the batch's moments, or None for a pass in inference mode."""
        training, inner = cache
        if not training:
            return None
        return Moments(inner.centred.size // self.channels, inner.mean, inner.var)

    def update_statistics(self, statistics: list[Moments | None]) -> None:
        """Move the running statistics towards the mean over micro-batches, weighted by size."""
        seen = [moments for moments in statistics if moments is not None]
        if not seen:
            return
        total = sum(moments.values for moments in seen)
        mean = sum(m.mean * (m.values / total) for m in seen)
        var = sum(m.var * (m.values / total * m.values / max(m.values - 1, 1)) for m in seen)
        for name, batch in (("mean", mean), ("var", var)):
            running = self.buffers[name]
            running += self.momentum * (batch - running)
