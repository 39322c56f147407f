"""Stochastic gradient descent."""

from __future__ import annotations

import numpy as np

from kdq_ref.checks import check_in_range
from kdq_ref.errors import InvalidArgumentError
from kdq_ref.optim.optimizer import Optimizer


class SGD(Optimizer):
    r"""Gradient descent, with momentum if asked.

    .. math:: g' = g + \lambda p, \quad v \leftarrow \mu v + g', \quad p \leftarrow p - \eta d

    with ``d = v``, or with Nesterov's look-ahead ``d = g' + mu * v``.

    Parameters
    ----------
    momentum : float
        :math:`\mu` in [0, 1].
    nesterov : bool
    weight_decay : float
        :math:`\lambda`, an L2 penalty on every parameter.

    Notes
    -----
    Sutskever, Martens, Dahl, Hinton (2013), ICML, section 2, with the learning rate outside the
    velocity.
    """

    slots = ("velocity",)

    def __init__(
        self, momentum: float = 0.0, *, nesterov: bool = False, weight_decay: float = 0.0
    ) -> None:
        super().__init__()
        self.momentum = float(check_in_range("momentum", momentum, 0.0, 1.0))
        self.weight_decay = float(check_in_range("weight_decay", weight_decay, 0.0))
        self.nesterov = nesterov
        if nesterov and not momentum:
            raise InvalidArgumentError("nesterov looks ahead along the momentum: give momentum > 0")

    def _apply(self, param: np.ndarray, grad: np.ndarray, *state: np.ndarray, lr: float) -> None:
        (velocity,) = state
        if self.weight_decay:
            grad = grad + self.weight_decay * param
        velocity *= self.momentum
        velocity += grad
        direction = grad + self.momentum * velocity if self.nesterov else velocity
        param -= lr * direction
