"""What a layer is: parameters and two functions, no memory of what went through."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import numpy as np

from kdq_ref.errors import ShapeError

Shape = tuple[int, ...]
Gradients = dict[str, np.ndarray]


class Layer:
    """Base of all layers.

    Attributes
    ----------
    params : dict of str to ndarray
        Trained by an optimizer, in place.
    buffers : dict of str to ndarray
        State that is saved but has no gradient.

    Notes
    -----
    A layer never stores activations: what `backward` needs travels in the cache. One layer may
    therefore work for several threads at once.
    """

    inputs: ClassVar[int] = 1
    """How many values the layer reads; with more than one, `x` and `dx` are tuples."""

    draws: ClassVar[bool] = False
    """Whether the constructor needs an ``rng`` for initial weights."""

    def __init__(self) -> None:
        self.params: dict[str, np.ndarray] = {}
        self.buffers: dict[str, np.ndarray] = {}

    def config(self) -> dict[str, Any]:
        """Return the constructor's keyword arguments (JSON-able, without ``rng``)."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any], rng: np.random.Generator) -> Layer:
        """Build the layer that `config` describes."""
        arguments: dict[str, Any] = {**config, "rng": rng} if cls.draws else config
        return cls(**arguments)

    def forward(
        self, x: Any, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        """Return the output and what `backward` will need.

        Parameters
        ----------
        x : ndarray, or a tuple of `inputs` ndarrays
        training : bool
            Use the batch's own statistics, drop values.
        rng : numpy.random.Generator, optional
            Needed by layers that draw random numbers in training.
        """
        raise NotImplementedError

    def backward(
        self, dy: np.ndarray, cache: Any, *, input_gradient: bool = True
    ) -> tuple[Any, Gradients]:
        """Return the gradients of the input(s) and of the parameters.

        Parameters
        ----------
        dy : ndarray
            Gradient of the loss with respect to the output. Not written to.
        cache : object
            From `forward`.
        input_gradient : bool
            If false, the layer may return None in place of ``dx``.
        """
        raise NotImplementedError

    def output_shape(self, input_shape: Any) -> Shape:
        """Shape of the output, without the batch axis (several inputs: a tuple of shapes).

        Raises
        ------
        ShapeError
            If the layer cannot read such an input.
        """
        return tuple(input_shape)

    def macs(self, input_shape: Any) -> int:
        """Multiply-accumulates per example (only layers with products have any)."""
        return 0

    def statistics(self, cache: Any) -> Any:
        """Return what `update_statistics` wants to know about one forward pass in training."""
        return None

    def update_statistics(self, statistics: list[Any]) -> None:
        """Update the buffers, once per step, from every micro-batch's `statistics`."""

    def astype(self, dtype: Any) -> Layer:
        """Return a copy whose parameters and buffers have another dtype."""
        twin = copy.copy(self)
        twin.params = {key: value.astype(dtype) for key, value in self.params.items()}
        twin.buffers = {key: value.astype(dtype) for key, value in self.buffers.items()}
        return twin

    def copy(self) -> Layer:
        """Return a copy that shares no array with this layer."""
        twin = copy.copy(self)
        twin.params = {key: value.copy() for key, value in self.params.items()}
        twin.buffers = {key: value.copy() for key, value in self.buffers.items()}
        return twin

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.config().items())
        return f"{type(self).__name__}({arguments})"


def expect_image(layer: Layer, shape: Shape, channels: int | None = None) -> tuple[int, int, int]:
    """Return ``(H, W, C)`` after checking the rank and, if given, the channels."""
    if len(shape) != 3:
        raise ShapeError(f"{type(layer).__name__} reads images (H, W, C), got shape {shape}")
    if channels is not None and shape[2] != channels:
        raise ShapeError(
            f"{type(layer).__name__} was built for {channels} channels, got shape {shape}"
        )
    return shape[0], shape[1], shape[2]
