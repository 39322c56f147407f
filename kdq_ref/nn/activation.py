"""Element-wise activation layers (formulas and sources: `kdq_ref.functional.activation`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from kdq_ref import functional
from kdq_ref.checks import check_in_range
from kdq_ref.nn.layer import Gradients, Layer


class Activation(Layer):
    """An element-wise function; subclasses name its two halves."""

    function: ClassVar[Callable[..., tuple[np.ndarray, Any]]]
    gradient: ClassVar[Callable[..., np.ndarray]]

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        """Apply the function to every element."""
        return type(self).function(x, **self.config())

    def backward(
        self, dy: np.ndarray, cache: Any, *, input_gradient: bool = True
    ) -> tuple[np.ndarray, Gradients]:
        """Return ``dy`` times the derivative."""
        return type(self).gradient(dy, cache), {}


class ReLU(Activation):
    """``max(x, 0)``."""

    function = staticmethod(functional.relu_forward)
    gradient = staticmethod(functional.relu_backward)


class ReLU6(Activation):
    """``min(max(x, 0), 6)``."""

    function = staticmethod(functional.relu6_forward)
    gradient = staticmethod(functional.relu6_backward)


class LeakyReLU(Activation):
    """``x`` where positive, ``slope * x`` elsewhere.

    Parameters
    ----------
    slope : float
        In [0, 1].
    """

    function = staticmethod(functional.leaky_relu_forward)
    gradient = staticmethod(functional.leaky_relu_backward)

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = float(check_in_range("slope", slope, 0.0, 1.0))

    def config(self) -> dict[str, Any]:
        return {"slope": self.slope}


class Sigmoid(Activation):
    """``1 / (1 + exp(-x))``."""

    function = staticmethod(functional.sigmoid_forward)
    gradient = staticmethod(functional.sigmoid_backward)


class Tanh(Activation):
    """``tanh(x)``."""

    function = staticmethod(functional.tanh_forward)
    gradient = staticmethod(functional.tanh_backward)


class GELU(Activation):
    """Gaussian error linear unit, tanh form."""

    function = staticmethod(functional.gelu_forward)
    gradient = staticmethod(functional.gelu_backward)


class HardSwish(Activation):
    """``x * relu6(x + 3) / 6``."""

    function = staticmethod(functional.hard_swish_forward)
    gradient = staticmethod(functional.hard_swish_backward)
