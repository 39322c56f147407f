"""Random small integer networks, run operator by operator or as one plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from strategies.rules import near

from kdq_ref import intref, kernels, operands
from kdq_ref.errors import ShapeError
from kdq_ref.rounding import RULES, Requant


@dataclass
class Network:
    """Operators in order; operator i makes slot i + 1, slot 0 is the input."""

    rng: np.random.Generator
    input_shape: tuple[int, ...]
    input_scale: float = 0.02
    input_zero_point: int = -3
    ops: list[tuple[str, tuple[int, ...], dict[str, Any]]] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shapes.append(self.input_shape)

    def append(self, kind: str, *sources: int, **keywords: Any) -> int:
        """Add an operator if its operands fit (ShapeError if not); return its slot."""
        described = dict(keywords)
        if "requant" in described:
            described["channels"] = described.pop("requant").channels
        shapes = [self.shapes[source] for source in sources]
        self.shapes.append(getattr(operands, f"{kind}_shape")(*shapes, **described))
        self.ops.append((kind, sources, keywords))
        return len(self.ops)

    def reference(self, x: np.ndarray, output: int) -> np.ndarray:
        """The specification, one operator after the other."""
        if x.dtype == np.float32:
            x = intref.quantize(x, scale=self.input_scale, zero_point=self.input_zero_point)
        values = [x]
        for kind, sources, keywords in self.ops[:output]:
            values.append(getattr(intref, kind)(*(values[s] for s in sources), **keywords))
        return values[output]

    def plan(self, output: int, **options: Any) -> kernels.Plan:
        """All operators, those behind the output and those beside it, as one plan."""
        builder = kernels.PlanBuilder(
            input_shape=self.input_shape,
            input_scale=self.input_scale,
            input_zero_point=self.input_zero_point,
        )
        for number, (kind, sources, keywords) in enumerate(self.ops):
            slot = getattr(builder, kind)(*sources, **keywords)
            assert slot == number + 1
        return builder.build(output=output, **options)

    def images(self, batch: int, dtype: type) -> np.ndarray:
        """A batch of inputs, real ones a little beyond the range of the codes."""
        shape = (batch, *self.input_shape)
        if dtype is np.int8:
            return self.rng.integers(-128, 128, shape, np.int8)
        return self.rng.uniform(-3, 3, shape).astype(np.float32)

    def requant(self, channels: int, magnitude: float) -> Requant:
        """Constants that spread sums of that magnitude over int8."""
        rule = RULES[str(self.rng.choice(sorted(RULES)))]
        count = int(self.rng.choice([1, channels]))
        real = self.rng.uniform(30, 120, count) / magnitude
        low, high = (-128, 127) if self.rng.random() < 0.5 else (-50, 100)
        return Requant(rule, near(rule, real, self.rng), self.zero_point(), low, high)

    def zero_point(self) -> int:
        """Any zero point."""
        return int(self.rng.integers(-128, 128))

    def weights(self, *shape: int) -> dict[str, Any]:
        """Weight, bias, zero point and requantization of an affine operator."""
        fan_in = max(1, int(np.prod(shape[:-1])))
        return {
            "weight": self.rng.integers(-127, 128, shape, np.int8),
            "bias": self.rng.integers(-5000, 5000, shape[-1], np.int32),
            "x_zero_point": self.zero_point(),
            "requant": self.requant(shape[-1], 127 * 100 * fan_in**0.5),
        }


def _conv(net: Network, x: int) -> int:
    c_in, groups = net.shapes[x][2], int(net.rng.integers(1, 3))
    groups = groups if c_in % groups == 0 else 1
    kernel, c_out = net.rng.integers(1, 4, 2), groups * int(net.rng.integers(1, 6))
    return net.append(
        "conv2d",
        x,
        **net.weights(*kernel, c_in // groups, c_out),
        stride=tuple(net.rng.integers(1, 3, 2).tolist()),
        padding=tuple(net.rng.integers(0, 3, 4).tolist()),
        dilation=tuple(net.rng.integers(1, 3, 2).tolist()),
        groups=groups,
    )


def _depthwise(net: Network, x: int) -> int:
    channels = net.shapes[x][2] * int(net.rng.integers(1, 3))
    return net.append("depthwise_conv2d", x, **net.weights(3, 3, 1, channels), padding=(1, 1, 1, 1))


def _pool(net: Network, x: int) -> int:
    window = {"kernel": (2, 2), "stride": (2, 1), "padding": (1, 0, 0, 1)}
    if net.rng.random() < 0.5:
        return net.append("max_pool2d", x, **window)
    return net.append(
        "avg_pool2d", x, **window, x_zero_point=net.zero_point(), requant=net.requant(1, 400)
    )


def _global_pool(net: Network, x: int) -> int:
    return net.append(
        "global_avg_pool", x, x_zero_point=net.zero_point(), requant=net.requant(1, 1000)
    )


def _dense(net: Network, x: int) -> int:
    n_out = int(net.rng.integers(1, 10))
    return net.append("dense", x, **net.weights(net.shapes[x][0], n_out))


def _add(net: Network, x: int) -> int:
    partners = [slot for slot, shape in enumerate(net.shapes) if shape == net.shapes[x]]
    return net.append(
        "add",
        x,
        int(net.rng.choice(partners)),
        a_zero_point=net.zero_point(),
        b_zero_point=net.zero_point(),
        a_multiplier=int(net.rng.integers(0, 2**20 + 1)),
        b_multiplier=2**20,
        requant=net.requant(1, 100 * 2.0**20),
    )


def _lookup(net: Network, x: int) -> int:
    return net.append("lookup", x, table=net.rng.integers(-128, 128, 256, np.int8))


def _flatten(net: Network, x: int) -> int:
    return net.append("flatten", x)


_ON_IMAGES = (_conv, _conv, _depthwise, _pool, _global_pool, _add, _lookup, _flatten)
_ON_VECTORS = (_dense, _dense, _add, _lookup, _flatten)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Up to nine operators, mostly a chain, with branches that join in additions or end dead."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (5, 4, int(rng.integers(1, 4))) if draw(st.booleans()) else (int(rng.integers(1, 20)),)
    net = Network(rng, shape)
    for _ in range(draw(st.integers(0, 9))):
        tip = len(net.ops) if rng.random() < 0.8 else int(rng.integers(0, len(net.ops) + 1))
        kinds: tuple[Callable[[Network, int], int], ...]
        kinds = _ON_IMAGES if len(net.shapes[tip]) == 3 else _ON_VECTORS
        try:
            kinds[int(rng.integers(len(kinds)))](net, tip)
        except ShapeError:  # the window did not fit: one operator fewer
            continue
    return net


def residual_network(seed: int) -> Network:
    """A fixed shape of network: convolution, a branch around two more, pools, dense."""
    net = Network(np.random.default_rng(seed), (8, 8, 3))
    same: dict[str, Any] = {"padding": (1, 1, 1, 1)}
    stem = net.append("conv2d", 0, **net.weights(3, 3, 3, 8), **same)
    inner = net.append("conv2d", stem, **net.weights(3, 3, 8, 8), **same)
    inner = net.append("depthwise_conv2d", inner, **net.weights(3, 3, 1, 8), **same)
    joined = net.append(
        "add",
        stem,
        inner,
        a_zero_point=1,
        b_zero_point=-2,
        a_multiplier=2**20,
        b_multiplier=2**19,
        requant=net.requant(1, 100 * 2.0**20),
    )
    small = net.append("max_pool2d", joined, kernel=(2, 2), stride=(2, 2), padding=(0, 0, 0, 0))
    net.append("dense", net.append("flatten", small), **net.weights(128, 10))
    return net
