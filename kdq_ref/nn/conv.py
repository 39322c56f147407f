"""Convolution layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdq_ref import functional
from kdq_ref.checks import check_positive_int
from kdq_ref.errors import InvalidArgumentError
from kdq_ref.geometry import as_padding, as_pair, window_output
from kdq_ref.nn.init import draw
from kdq_ref.nn.layer import Gradients, Layer, Shape, expect_image


class Conv2d(Layer):
    """Convolution ``y = x * w + b`` of images (see `functional.conv2d_forward`).

    Parameters
    ----------
    c_in, c_out : int
        Channels.
    kernel : int or (h, w)
    stride, dilation : int or (h, w)
    padding : "valid", "same", int, (h, w) or (top, bottom, left, right)
    groups : int
        Divides both `c_in` and `c_out`.
    bias : bool
    rng : numpy.random.Generator
    init : str
        A scheme of `kdq_ref.nn.init.draw`.
    """

    draws = True

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: Any = "same",
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        rng: np.random.Generator,
        init: str = "he",
    ) -> None:
        super().__init__()
        self.c_in = check_positive_int("c_in", c_in)
        self.c_out = check_positive_int("c_out", c_out)
        self.kernel = as_pair("kernel", kernel)
        self.stride = as_pair("stride", stride)
        self.dilation = as_pair("dilation", dilation)
        self.padding = as_padding(padding, self.kernel, self.dilation)
        self.groups = check_positive_int("groups", groups)
        self.init = init
        if self.c_in % self.groups or self.c_out % self.groups:
            raise InvalidArgumentError(
                f"groups must divide c_in = {self.c_in} and c_out = {self.c_out}, got {groups}"
            )
        area = self.kernel[0] * self.kernel[1]
        fan_in, fan_out = area * self.c_in // self.groups, area * self.c_out // self.groups
        shape = (*self.kernel, self.c_in // self.groups, self.c_out)
        self.params["w"] = draw(shape, fan_in, fan_out, init, rng)
        if bias:
            self.params["b"] = np.zeros(self.c_out, np.float32)

    def config(self) -> dict[str, Any]:
        return {
            "c_in": self.c_in,
            "c_out": self.c_out,
            "kernel": list(self.kernel),
            "stride": list(self.stride),
            "padding": list(self.padding),
            "dilation": list(self.dilation),
            "groups": self.groups,
            "bias": "b" in self.params,
            "init": self.init,
        }

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        """Map x : (B, H, W, c_in) to y : (B, oh, ow, c_out)."""
        return functional.conv2d_forward(
            x,
            self.params["w"],
            self.params.get("b"),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )

    def backward(
        self, dy: np.ndarray, cache: Any, *, input_gradient: bool = True
    ) -> tuple[np.ndarray | None, Gradients]:
        """Return dx : (B, H, W, c_in) and the gradients of ``w`` and ``b``."""
        dx, dw, db = functional.conv2d_backward(dy, cache, input_gradient=input_gradient)
        return dx, {"w": dw} if db is None else {"w": dw, "b": db}

    def output_shape(self, input_shape: Shape) -> Shape:
        height, width, _ = expect_image(self, input_shape, self.c_in)
        output = window_output(
            (height, width), self.kernel, self.stride, self.padding, self.dilation
        )
        return (*output, self.c_out)

    def macs(self, input_shape: Shape) -> int:
        height, width, _ = self.output_shape(input_shape)
        return height * width * self.params["w"].size


class DepthwiseConv2d(Layer):
    """Depthwise convolution (see `functional.depthwise_conv2d_forward`).

    Parameters
    ----------
    channels : int
    kernel : int or (h, w)
    multiplier : int
        Output channels per input channel.
    stride, dilation : int or (h, w)
    padding : "valid", "same", int, (h, w) or (top, bottom, left, right)
    bias : bool
    rng : numpy.random.Generator
    init : str
        A scheme of `kdq_ref.nn.init.draw`.
    """

    draws = True

    def __init__(
        self,
        channels: int,
        kernel: int | tuple[int, int],
        *,
        multiplier: int = 1,
        stride: int | tuple[int, int] = 1,
        padding: Any = "same",
        dilation: int | tuple[int, int] = 1,
        bias: bool = True,
        rng: np.random.Generator,
        init: str = "he",
    ) -> None:
        super().__init__()
        self.channels = check_positive_int("channels", channels)
        self.multiplier = check_positive_int("multiplier", multiplier)
        self.kernel = as_pair("kernel", kernel)
        self.stride = as_pair("stride", stride)
        self.dilation = as_pair("dilation", dilation)
        self.padding = as_padding(padding, self.kernel, self.dilation)
        self.init = init
        area = self.kernel[0] * self.kernel[1]
        outputs = self.channels * self.multiplier
        shape = (*self.kernel, 1, outputs)
        self.params["w"] = draw(shape, area, area * self.multiplier, init, rng)
        if bias:
            self.params["b"] = np.zeros(outputs, np.float32)

    def config(self) -> dict[str, Any]:
        return {
            "channels": self.channels,
            "kernel": list(self.kernel),
            "multiplier": self.multiplier,
            "stride": list(self.stride),
            "padding": list(self.padding),
            "dilation": list(self.dilation),
            "bias": "b" in self.params,
            "init": self.init,
        }

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, Any]:
        """Map x : (B, H, W, channels) to y : (B, oh, ow, channels * multiplier)."""
        return functional.depthwise_conv2d_forward(
            x,
            self.params["w"],
            self.params.get("b"),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
        )

    def backward(
        self, dy: np.ndarray, cache: Any, *, input_gradient: bool = True
    ) -> tuple[np.ndarray | None, Gradients]:
        """Return dx : (B, H, W, channels) and the gradients of ``w`` and ``b``."""
        dx, dw, db = functional.depthwise_conv2d_backward(dy, cache, input_gradient=input_gradient)
        return dx, {"w": dw} if db is None else {"w": dw, "b": db}

    def output_shape(self, input_shape: Shape) -> Shape:
        height, width, _ = expect_image(self, input_shape, self.channels)
        output = window_output(
            (height, width), self.kernel, self.stride, self.padding, self.dilation
        )
        return (*output, self.channels * self.multiplier)

    def macs(self, input_shape: Shape) -> int:
        height, width, _ = self.output_shape(input_shape)
        return height * width * self.params["w"].size
