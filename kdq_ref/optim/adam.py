"""Adam and AdamW."""

from __future__ import annotations

import math

import numpy as np

from kdq_ref.checks import check_in_range
from kdq_ref.errors import RangeError
from kdq_ref.optim.optimizer import Optimizer


class Adam(Optimizer):
    r"""Adaptive moments (Kingma and Ba 2014, arXiv:1412.6980, algorithm 1).

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2,

    .. math::
        p \leftarrow p - \eta \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    betas : (float, float)
        In [0, 1).
    eps : float
        Positive.
    weight_decay : float
        L2 penalty: added to the gradient as ``weight_decay * p``.
    """

    slots = ("mean", "square")

    def __init__(
        self,
        betas: tuple[float, float] = (0.9, 0.999),
        *,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__()
        self.betas = (
            float(check_in_range("betas[0]", betas[0], 0.0, 1.0)),
            float(check_in_range("betas[1]", betas[1], 0.0, 1.0)),
        )
        self.eps = float(check_in_range("eps", eps, 0.0))
        self.weight_decay = float(check_in_range("weight_decay", weight_decay, 0.0))
        if 1 in self.betas or self.eps == 0:
            raise RangeError(f"betas must be below 1 and eps positive, got {betas} and {eps}")

    def _apply(self, param: np.ndarray, grad: np.ndarray, *state: np.ndarray, lr: float) -> None:
        if self.weight_decay:
            grad = grad + self.weight_decay * param
        mean, square = state
        self._step(param, grad, mean, square, lr)

    def _step(
        self, param: np.ndarray, grad: np.ndarray, mean: np.ndarray, square: np.ndarray, lr: float
    ) -> None:
        beta1, beta2 = self.betas
        mean *= beta1
        mean += (1 - beta1) * grad
        square *= beta2
        step = grad * grad
        step *= 1 - beta2
        square += step
        np.sqrt(square, out=step)
        step /= math.sqrt(1 - beta2**self.steps)
        step += self.eps
        np.divide(mean, step, out=step)
        step *= lr / (1 - beta1**self.steps)
        param -= step


class AdamW(Adam):
    r"""Adam with decoupled weight decay (Loshchilov and Hutter 2017, arXiv:1711.05101).

    Before Adam's step, :math:`p \leftarrow p - \eta \lambda p`.

    Parameters
    ----------
    betas : (float, float)
    eps : float
    weight_decay : float
        :math:`\lambda`; the schedule's multiplier is inside the learning rate.
    """

    def __init__(
        self,
        betas: tuple[float, float] = (0.9, 0.999),
        *,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(betas, eps=eps, weight_decay=weight_decay)

    def _apply(self, param: np.ndarray, grad: np.ndarray, *state: np.ndarray, lr: float) -> None:
        param *= 1 - lr * self.weight_decay
        mean, square = state
        self._step(param, grad, mean, square, lr)
