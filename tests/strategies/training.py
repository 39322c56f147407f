"""A dataset and networks so small that an epoch takes milliseconds."""

from __future__ import annotations

import numpy as np

from kdq_ref import nn
from kdq_ref.data import Dataset

CLASSES = 3


def tiny_dataset(n: int = 22, seed: int = 0) -> Dataset:
    """Draw n images (5, 4, 1) that can be told apart: class c is bright in row c."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    images = rng.integers(0, 120, (n, 5, 4, 1)).astype(np.uint8)
    images[np.arange(n), labels] += 135
    return Dataset("tiny", images, labels, ("top", "middle", "low"), 255)


def tiny_network(seed: int = 0, dropout: float = 0.25) -> nn.Graph:
    """Convolution, batch norm, dropout, dense: everything that could depend on threads."""
    rng = np.random.default_rng(seed)
    layers = [
        nn.Conv2d(1, 3, 3, bias=False, rng=rng),
        nn.BatchNorm(3),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Dense(60, CLASSES, rng=rng),
    ]
    return nn.Sequential((5, 4, 1), layers)


def smooth_network(seed: int = 0) -> nn.Graph:
    """Without batch norm and dropout: its gradient is a sum over samples."""
    rng = np.random.default_rng(seed)
    layers = [nn.Flatten(), nn.Dense(20, 8, rng=rng), nn.Tanh(), nn.Dense(8, CLASSES, rng=rng)]
    return nn.Sequential((5, 4, 1), layers)


def same_bits(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """Whether two states have the same names, dtypes, shapes and bytes."""
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tobytes() == b[k].tobytes()
        for k in a
    )
