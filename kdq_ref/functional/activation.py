"""Element-wise activations, each with its derivative beside it.

Every ``*_forward(x)`` returns ``(y, cache)``; every ``*_backward(dy, cache)`` returns ``dx``.
At a kink the derivative is the one of the flat side: 0 at 0 for ReLU, 0 at 0 and 6 for ReLU6.
"""

from __future__ import annotations

import math

import numpy as np

from kdq_ref.functional.channels import wide

GELU_SCALE = math.sqrt(2 / math.pi)
GELU_CUBIC = 0.044715


def _positive_part(x: np.ndarray) -> np.ndarray:
    """``max(x, 0)`` with a row of zeros: NumPy's loop for a scalar is half as fast."""
    rows = wide(x)
    return np.maximum(rows, np.zeros(rows.shape[-1], x.dtype)).reshape(x.shape)


def relu_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute ``max(x, 0)`` (Nair and Hinton 2010)."""
    y = _positive_part(x)
    return y, y


def relu_backward(dy: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Gradient of `relu_forward`: ``dy`` where ``y > 0``."""
    return dy * (cache > 0)


def relu6_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute ``min(max(x, 0), 6)`` (Krizhevsky 2010)."""
    y = _positive_part(x)
    np.minimum(y, 6, out=y)
    return y, y


def relu6_backward(dy: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Gradient of `relu6_forward`: ``dy`` where ``0 < y < 6``."""
    return dy * ((cache > 0) & (cache < 6))


def leaky_relu_forward(
    x: np.ndarray, slope: float = 0.01
) -> tuple[np.ndarray, tuple[np.ndarray, float]]:
    """Compute ``x`` where positive and ``slope * x`` elsewhere (Maas, Hannun, Ng 2013)."""
    return np.where(x > 0, x, x * x.dtype.type(slope)), (x, slope)


def leaky_relu_backward(dy: np.ndarray, cache: tuple[np.ndarray, float]) -> np.ndarray:
    """Gradient of `leaky_relu_forward`: ``dy`` times 1 or `slope`."""
    x, slope = cache
    return np.where(x > 0, dy, dy * dy.dtype.type(slope))


def sigmoid_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute ``1 / (1 + exp(-x))`` as ``(1 + tanh(x / 2)) / 2``, which cannot overflow."""
    y = np.tanh(x * x.dtype.type(0.5))
    y += 1
    y *= x.dtype.type(0.5)
    return y, y


def sigmoid_backward(dy: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Gradient of `sigmoid_forward`: ``dy * y * (1 - y)``."""
    return dy * cache * (1 - cache)


def tanh_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute ``tanh(x)``."""
    y = np.tanh(x)
    return y, y


def tanh_backward(dy: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Gradient of `tanh_forward`: ``dy * (1 - y**2)``."""
    return dy * (1 - cache * cache)


def gelu_forward(x: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    r"""Gaussian error linear unit in its tanh form, not the one with erf.

    .. math:: y = \frac{x}{2} (1 + \tanh(\sqrt{2/\pi} (x + 0.044715 x^3)))

    Hendrycks and Gimpel (2016), arXiv:1606.08415, section 2.
    """
    t = np.tanh(GELU_SCALE * (x + GELU_CUBIC * (x * x * x)))
    return 0.5 * x * (1 + t), (x, t)


def gelu_backward(dy: np.ndarray, cache: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    r"""Gradient of `gelu_forward`.

    .. math:: dx = dy (\frac{1 + t}{2} + \frac{x}{2} (1 - t^2) \sqrt{2/\pi} (1 + 3 · 0.044715 x^2))
    """
    x, t = cache
    inner = GELU_SCALE * (1 + (3 * GELU_CUBIC) * (x * x))
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner)


def hard_swish_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute ``x * relu6(x + 3) / 6`` (Howard et al. 2019, arXiv:1905.02244, section 5.2)."""
    return x * np.clip(x + 3, 0, 6) * x.dtype.type(1 / 6), x


def hard_swish_backward(dy: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Gradient of `hard_swish_forward`: 0 up to -3, 1 from 3, ``(2 x + 3) / 6`` between."""
    x = cache
    slope = (2 * x + 3) * x.dtype.type(1 / 6)
    slope[x <= -3] = 0
    slope[x >= 3] = 1
    return dy * slope
