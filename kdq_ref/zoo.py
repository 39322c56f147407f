"""Named teachers and students, built with fresh weights.

>>> import numpy as np
>>> from kdq_ref import zoo
>>> zoo.build("digits-student", np.random.default_rng(0)).count_parameters()
678
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.nn import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    DepthwiseConv2d,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Graph,
    HardSwish,
    Layer,
    MaxPool2d,
    ReLU,
    ReLU6,
    Residual,
    Sequential,
)


def build(name: str, rng: np.random.Generator) -> Graph:
    """Build a network by name.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    rng : numpy.random.Generator
        Draws the initial weights.

    Returns
    -------
    Graph
        float32, ten classes.

    Raises
    ------
    InvalidArgumentError
        For an unknown name.
    """
    if name not in _BUILDERS:
        raise InvalidArgumentError(f"no network is called {name!r}; there are {', '.join(NAMES)}")
    return _BUILDERS[name](rng)


def _conv(c_in: int, c_out: int, rng: np.random.Generator) -> list[Layer]:
    """3 x 3 convolution, batch norm (which makes a bias pointless), ReLU."""
    return [Conv2d(c_in, c_out, 3, bias=False, rng=rng), BatchNorm(c_out), ReLU()]


def _head(n_in: int, rng: np.random.Generator) -> Dense:
    """Ten logits; Glorot keeps them small at the start, as no ReLU follows."""
    return Dense(n_in, 10, rng=rng, init="glorot")


def _digits_teacher(rng: np.random.Generator) -> Graph:
    """Convolutional network for 8 x 8 images."""
    layers = [
        *_conv(1, 32, rng),
        *_conv(32, 32, rng),
        MaxPool2d(2),
        *_conv(32, 64, rng),
        Flatten(),
        Dropout(0.3),
        _head(4 * 4 * 64, rng),
    ]
    return Sequential((8, 8, 1), layers)


def _digits_student(rng: np.random.Generator) -> Graph:
    """A small one: 4 channels, then 8."""
    layers = [
        *_conv(1, 4, rng),
        MaxPool2d(2),
        *_conv(4, 8, rng),
        MaxPool2d(2),
        Flatten(),
        _head(2 * 2 * 8, rng),
    ]
    return Sequential((8, 8, 1), layers)


def _fashion_teacher(rng: np.random.Generator) -> Graph:
    """About 13 million multiply-accumulates, half of them at 14 x 14, half at 7 x 7."""
    layers = [
        *_conv(1, 32, rng),
        MaxPool2d(2),
        *_conv(32, 48, rng),
        *_conv(48, 48, rng),
        MaxPool2d(2),
        *_conv(48, 96, rng),
        *_conv(96, 96, rng),
        MaxPool2d(2),
        Flatten(),
        Dropout(0.4),
        Dense(3 * 3 * 96, 10, rng=rng),
    ]
    return Sequential((28, 28, 1), layers)


def _fashion_student(rng: np.random.Generator) -> Graph:
    """The teacher's shape with fewer channels, below 30,000 parameters."""
    layers = [
        *_conv(1, 16, rng),
        MaxPool2d(2),
        *_conv(16, 32, rng),
        MaxPool2d(2),
        *_conv(32, 64, rng),
        MaxPool2d(2),
        Flatten(),
        _head(3 * 3 * 64, rng),
    ]
    return Sequential((28, 28, 1), layers)


def _mlp(rng: np.random.Generator) -> Graph:
    """The teacher of Hinton, Vinyals, Dean (2015), arXiv:1503.02531, section 3."""
    layers = [
        Flatten(),
        Dense(784, 1200, rng=rng),
        ReLU(),
        Dropout(0.5),
        Dense(1200, 1200, rng=rng),
        ReLU(),
        Dropout(0.5),
        _head(1200, rng),
    ]
    return Sequential((28, 28, 1), layers)


def _residual(rng: np.random.Generator) -> Graph:
    """Two residual blocks, one of them changing resolution and channels."""
    layers: list[Layer | Residual] = [
        *_conv(1, 16, rng),
        AvgPool2d(2),
        Residual([*_conv(16, 16, rng), Conv2d(16, 16, 3, bias=False, rng=rng), BatchNorm(16)]),
        ReLU(),
        Residual(
            [
                Conv2d(16, 32, 3, stride=2, bias=False, rng=rng),
                BatchNorm(32),
                ReLU(),
                Conv2d(32, 32, 3, groups=2, bias=False, rng=rng),
                BatchNorm(32),
            ],
            shortcut=[Conv2d(16, 32, 1, stride=2, bias=False, rng=rng), BatchNorm(32)],
        ),
        ReLU(),
        GlobalAvgPool(),
        _head(32, rng),
    ]
    return Sequential((28, 28, 1), layers)


def _depthwise(rng: np.random.Generator) -> Graph:
    """Separable convolutions with hard-swish (Howard et al. 2019, arXiv:1905.02244)."""
    layers: list[Layer] = [
        Conv2d(1, 8, 3, stride=2, bias=False, rng=rng),
        BatchNorm(8),
        HardSwish(),
    ]
    for c_in, c_out in ((8, 32), (32, 64)):
        layers += [
            DepthwiseConv2d(c_in, 3, stride=2, bias=False, rng=rng),
            BatchNorm(c_in),
            ReLU6(),
            Conv2d(c_in, c_out, 1, bias=False, rng=rng),
            BatchNorm(c_out),
            HardSwish(),
        ]
    return Sequential((28, 28, 1), [*layers, GlobalAvgPool(), _head(64, rng)])


_BUILDERS: dict[str, Callable[[np.random.Generator], Graph]] = {
    "digits-teacher": _digits_teacher,
    "digits-student": _digits_student,
    "fashion-teacher": _fashion_teacher,
    "fashion-student": _fashion_student,
    "mlp": _mlp,
    "residual": _residual,
    "depthwise": _depthwise,
}

NAMES: tuple[str, ...] = tuple(_BUILDERS)
