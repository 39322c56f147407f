"""Pooling layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdq_ref import functional
from kdq_ref.errors import RangeError
from kdq_ref.geometry import as_padding, as_pair, window_output
from kdq_ref.nn.layer import Gradients, Layer, Shape, expect_image


class _Pool2d(Layer):
    """Shape and configuration of a pooling window."""

    def __init__(
        self,
        kernel: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] | None = None,
        padding: Any = "valid",
    ) -> None:
        super().__init__()
        self.kernel = as_pair("kernel", kernel)
        self.stride = self.kernel if stride is None else as_pair("stride", stride)
        self.padding = as_padding(padding, self.kernel)
        top, bottom, left, right = self.padding
        if max(top, bottom) >= self.kernel[0] or max(left, right) >= self.kernel[1]:
            raise RangeError(
                f"pooling padding must be smaller than the kernel {self.kernel}, so that every "
                f"window holds a pixel; got {self.padding}"
            )

    def config(self) -> dict[str, Any]:
        return {
            "kernel": list(self.kernel),
            "stride": list(self.stride),
            "padding": list(self.padding),
        }

    def output_shape(self, input_shape: Shape) -> Shape:
        height, width, channels = expect_image(self, input_shape)
        return (*window_output((height, width), self.kernel, self.stride, self.padding), channels)


class MaxPool2d(_Pool2d):
    """Maximum of every window (see `functional.max_pool2d_forward`).

    Parameters
    ----------
    kernel : int or (h, w)
    stride : int or (h, w), optional
        The kernel's size by default.
    padding : "valid", "same", int, (h, w) or (top, bottom, left, right)
        Smaller than the kernel.
    """

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        """Map x : (B, H, W, C) to y : (B, oh, ow, C)."""
        return functional.max_pool2d_forward(
            x, kernel=self.kernel, stride=self.stride, padding=self.padding
        )

    def backward(
        self, dy: np.ndarray, cache: Any, *, input_gradient: bool = True
    ) -> tuple[np.ndarray, Gradients]:
        """Return dx : (B, H, W, C)."""
        return functional.max_pool2d_backward(dy, cache), {}


class AvgPool2d(_Pool2d):
    """Mean of every window, zeros where padded (see `functional.avg_pool2d_forward`).

    Parameters
    ----------
    kernel : int or (h, w)
    stride : int or (h, w), optional
        The kernel's size by default.
    padding : "valid", "same", int, (h, w) or (top, bottom, left, right)
        Smaller than the kernel.
    """

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        """Map x : (B, H, W, C) to y : (B, oh, ow, C)."""
        return functional.avg_pool2d_forward(
            x, kernel=self.kernel, stride=self.stride, padding=self.padding
        )

    def backward(
        self, dy: np.ndarray, cache: Any, *, input_gradient: bool = True
    ) -> tuple[np.ndarray, Gradients]:
        """Return dx : (B, H, W, C)."""
        return functional.avg_pool2d_backward(dy, cache), {}


class GlobalAvgPool(Layer):
    """Mean over all pixels: (B, H, W, C) to (B, C)."""

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        """Map x : (B, H, W, C) to y : (B, C)."""
        return functional.global_avg_pool_forward(x)

    def backward(
        self, dy: np.ndarray, cache: Any, *, input_gradient: bool = True
    ) -> tuple[np.ndarray, Gradients]:
        """Return dx : (B, H, W, C)."""
        return functional.global_avg_pool_backward(dy, cache), {}

    def output_shape(self, input_shape: Shape) -> Shape:
        return (expect_image(self, input_shape)[2],)
