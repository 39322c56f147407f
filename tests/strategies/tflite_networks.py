"""Whole networks, and layers of int16, for the dialects of TensorFlow Lite's family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from strategies.dialects import installed

from kdq_ref.errors import UnsupportedError
from kdq_ref.geometry import window_output
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.network import Encoding, Network, Node, Weight, value_shapes

_RELU, _RELU6 = (0.0, float("inf")), (0.0, 6.0)
_PROBABILITY = Encoding("int8", 1 / 256, -128)


class _Builder:
    """Nodes one behind the other, with random weights and encodings."""

    def __init__(self, seed: int, shape: tuple[int, ...], source: Encoding) -> None:
        self.rng = np.random.default_rng([seed, 0x7F1])
        self.inputs, self.shapes = {"x": source}, {"x": shape}
        self.nodes: list[Node] = []

    def network(self) -> Network:
        return Network(self.inputs, self.shapes, tuple(self.nodes), self.nodes[-1].name)

    def shape(self, name: str) -> tuple[int, ...]:
        return value_shapes(self.network())[name] if name != "x" else self.shapes["x"]

    def add(
        self, operator: str, *sources: str, output: Encoding | None = None, **fields: Any
    ) -> str:
        name = f"{operator}_{len(self.nodes)}"
        scale = float(np.float32(self.rng.uniform(0.02, 0.06)))
        drawn = Encoding("int8", scale, int(self.rng.integers(-128, 20)))
        self.nodes.append(Node(name, operator, sources, output or drawn, **fields))
        return name

    def keep(self, operator: str, source: str, **fields: Any) -> str:
        return self.add(operator, source, output=self.network().encodings[source], **fields)

    def affine(self, operator: str, source: str, shape: tuple[int, ...], **fields: Any) -> str:
        codes = self.rng.integers(-127, 128, shape).astype(np.int8)
        channels = shape[-1]
        scales = self.rng.uniform(0.5, 1.5, channels) * 0.02 / np.sqrt(codes[..., 0].size)
        weight = Weight(codes, scales.astype(np.float32))
        bias = self.rng.integers(-400, 400, channels).astype(np.int32)
        return self.add(operator, source, weight=weight, bias=bias, **fields)

    def conv(self, source: str, channels: int, kernel: int = 3, **fields: Any) -> str:
        shape = (kernel, kernel, self.shape(source)[2], channels)
        return self.affine("conv2d", source, shape, padding=(kernel // 2,) * 4, **fields)

    def depthwise(self, source: str, **fields: Any) -> str:
        shape = (3, 3, 1, self.shape(source)[2])
        return self.affine("depthwise_conv2d", source, shape, padding=(1,) * 4, **fields)

    def dense(self, source: str, channels: int, **fields: Any) -> str:
        return self.affine("dense", source, (self.shape(source)[0], channels), **fields)


def _source(seed: int) -> Encoding:
    rng = np.random.default_rng([seed, 0x50])
    scale = float(np.float32(rng.uniform(0.01, 0.03)))
    return Encoding("int8", scale, int(rng.integers(-128, 1)))


def _student(seed: int) -> Network:
    """Convolutions and maxima, two dense layers, softmax."""
    net = _Builder(seed, (28, 28, 1), _source(seed))
    x = "x"
    for channels in (8, 13):
        x = net.conv(x, channels, clamp=_RELU)
        x = net.keep("max_pool2d", x, kernel=(2, 2), stride=(2, 2))
    x = net.dense(net.keep("flatten", x), 32, clamp=_RELU)
    net.add("softmax", net.dense(x, 10), output=_PROBABILITY)
    return net.network()


def _residual(seed: int) -> Network:
    """Two blocks, a concatenation, a global average."""
    net = _Builder(seed, (16, 16, 3), _source(seed))
    x = net.conv("x", 16, clamp=_RELU)
    for stride in (1, 2):
        inner = net.conv(net.conv(x, 16, stride=(stride, stride), clamp=_RELU), 16)
        past = x if stride == 1 else net.conv(x, 16, 1, stride=(2, 2))
        x = net.add("add", inner, past, clamp=_RELU)
    x = net.add("concat", x, net.conv(x, 5))
    net.dense(net.add("global_avg_pool", x), 10)
    return net.network()


def _depthwise(seed: int) -> Network:
    """From reals to reals: gates, hard-swish, averages, ReLU6 and tanh on their own."""
    net = _Builder(seed, (16, 16, 3), Encoding("float32"))
    x = net.conv(net.add("quantize", "x"), 12, stride=(2, 2), clamp=_RELU6)
    inner = net.add("hard_swish", net.conv(net.depthwise(x, clamp=_RELU6), 12, 1))
    gate = net.add("sigmoid", net.conv(inner, 12, 1), output=_PROBABILITY)
    x = net.add("add", x, net.add("mul", inner, gate))
    x = net.depthwise(x, stride=(2, 2), clamp=_RELU6)
    x = net.keep("avg_pool2d", x, kernel=(2, 2), stride=(2, 2))
    x = net.add("tanh", net.add("relu6", x), output=Encoding("int8", 1 / 128, 0))
    x = net.dense(net.keep("flatten", x), 10)
    net.add("dequantize", net.add("softmax", x, output=_PROBABILITY), output=Encoding("float32"))
    return net.network()


_CLAMPS = (None, None, _RELU, _RELU6, (-1.0, 1.0))
_STEPS = (
    *("conv2d", "depthwise_conv2d", "dense", "max_pool2d", "avg_pool2d", "global_avg_pool"),
    *("add", "mul", "square", "concat", "flatten", "quantize"),
    *("relu", "relu6", "sigmoid", "tanh", "hard_swish", "softmax"),
)
_FIXED = {"sigmoid": _PROBABILITY, "softmax": _PROBABILITY, "tanh": Encoding("int8", 1 / 128, 0)}


def _encoding(rng: np.random.Generator) -> Encoding:
    scale = 2.0 ** rng.integers(-6, 3) if rng.random() < 0.5 else rng.uniform(0.01, 0.3)
    return Encoding("int8", float(np.float32(scale)), int(rng.integers(-128, 128)))


def _random(seed: int) -> Network:
    """A few operators in any order that fits: what a runtime fuses or rewrites shows itself."""
    rng = np.random.default_rng([seed, 0xF22])
    shape = tuple(int(size) for size in rng.integers((2, 2, 1), (9, 9, 20)))
    net = _Builder(seed, shape, _encoding(rng))
    values = ["x"]
    while len(values) < 6:
        source = values[-int(rng.integers(1, min(3, len(values) + 1)))]
        value = _step(net, rng, str(rng.choice(_STEPS)), source, values)
        if value:
            values.append(value)
    return net.network()


def _step(
    net: _Builder, rng: np.random.Generator, step: str, source: str, values: list[str]
) -> str | None:
    """Append one operator behind `source`, if it takes a value of that shape."""
    shape = net.shape(source)
    clamp = _CLAMPS[int(rng.integers(len(_CLAMPS)))]
    output = _encoding(rng) if rng.random() < 0.5 else None
    if step in _FIXED:
        return net.add(step, source, output=_FIXED[step])
    if step in ("relu", "relu6", "hard_swish", "flatten", "quantize"):
        return net.add(step, source, output=output)
    if step == "square":
        return net.add("mul", source, source, output=output, clamp=clamp)
    same = [value for value in values if net.shape(value) == shape]
    other = same[int(rng.integers(len(same)))]
    if step in ("add", "mul"):
        return net.add(step, source, other, output=output, clamp=clamp)
    if step == "concat":
        return net.add(step, source, other, output=output)
    if (step == "dense") != (len(shape) == 1):
        return None
    if step == "dense":
        return net.dense(source, int(rng.integers(1, 30)), clamp=clamp)
    if step == "conv2d":
        return net.conv(source, int(rng.integers(1, 20)), int(rng.choice([1, 3])), clamp=clamp)
    if step == "depthwise_conv2d":
        stride = int(rng.integers(1, 3))
        return net.depthwise(source, stride=(stride, stride), clamp=clamp)
    if step == "global_avg_pool":
        return net.add(step, source, output=output)
    if min(shape[:2]) < 2:
        return None
    window = {"kernel": (2, 2), "stride": (2, 2)}
    return net.add(step, source, output=output, clamp=clamp, **window)


NETWORKS: dict[str, Callable[[int], Network]] = {
    "student": _student,
    "residual": _residual,
    "depthwise": _depthwise,
}
"""Networks by name, each from a seed."""


def assert_network(name: str, kind: str, seeds: int = 3) -> None:
    """Assert that a dialect equals its runtime in every value of whole networks."""
    dialect = get_dialect(name)
    oracle = installed(dialect.runtime)
    for seed in range(seeds):
        network = NETWORKS[kind](seed)
        rng = np.random.default_rng([seed, 0xDA7A])
        shape = (5, *network.shapes["x"])
        x = rng.integers(-128, 128, shape).astype(np.int8)
        if network.inputs["x"].dtype == "float32":
            x = rng.normal(size=shape).astype(np.float32)
        expected, answers = dialect.run(network, {"x": x}), oracle.run(network, {"x": x})
        assert network.output in answers
        assert len(np.unique(answers[network.output])) > 5
        for node, answer in answers.items():
            np.testing.assert_array_equal(expected[node], answer, err_msg=f"{kind} {seed} {node}")


def assert_random_networks(name: str, count: int = 40) -> None:
    """Assert that a dialect equals its runtime on networks of operators in any order."""
    dialect = get_dialect(name)
    oracle = installed(dialect.runtime)
    compared = 0
    for seed in range(count):
        network = _random(seed)
        rng = np.random.default_rng([seed, 0xDA7B])
        x = rng.integers(-128, 128, (3, *network.shapes["x"])).astype(np.int8)
        try:
            expected = dialect.run(network, {"x": x})
        except UnsupportedError:
            continue  # a hard-swish that the runtime refuses, too
        compared += 1
        for node, answer in oracle.run(network, {"x": x}).items():
            np.testing.assert_array_equal(expected[node], answer, err_msg=f"{seed} {node}")
    assert compared > count // 2


def assert_wide(name: str, operator: str, samples: int = 12) -> None:
    """Assert that a dialect equals its runtime where activations are int16."""
    dialect = get_dialect(name)
    oracle = installed(dialect.runtime)
    for sample in range(samples):
        rng = np.random.default_rng([sample, 0x16, len(operator)])
        network, x = _wide(rng, operator, ties=sample % 3 == 0)
        (node,) = network.nodes
        expected = dialect.run(network, {"x": x})[node.name]
        answer = oracle.run(network, {"x": x})[node.name]
        np.testing.assert_array_equal(expected, answer, err_msg=f"sample {sample}")


def _wide(rng: np.random.Generator, operator: str, *, ties: bool) -> tuple[Network, np.ndarray]:
    channels = int(rng.integers(1, 20))
    shape: tuple[int, ...] = (7, 7, channels if operator == "depthwise_conv2d" else 5)
    kernel: tuple[int, ...] = (3, 3, 1 if operator == "depthwise_conv2d" else 5, channels)
    fields: dict[str, Any] = {"padding": (1, 1, 1, 1)}
    if operator == "dense":
        shape, kernel, fields = (30,), (30, channels), {}
    else:
        assert window_output((7, 7), (3, 3), (1, 1), (1, 1, 1, 1)) == (7, 7)
    source = Encoding("int16", float(np.float32(rng.uniform(1e-4, 1e-3))), 0)
    per_channel = channels if rng.random() < 0.5 else 1
    scales = rng.uniform(1e-3, 5e-3, per_channel).astype(np.float32)
    output = Encoding("int16", float(np.float32(rng.uniform(1e-4, 1e-2))), 0)
    x = rng.integers(-(2**15), 2**15, (4, *shape)).astype(np.int16)
    bias = rng.integers(-(2**33), 2**33, channels)
    if ties:
        # The input is zero, and so the bias is the accumulator: next to a half, on either side.
        x[:] = 0
        real = source.scale * scales.astype(np.float64) / output.scale
        halves = rng.integers(-2000, 2000, channels) + 0.5
        bias = np.floor(halves / real).astype(np.int64) + rng.integers(0, 2, channels)
    codes = rng.integers(-127, 128, kernel).astype(np.int8)
    weight = Weight(codes, scales)
    node = Node("y", operator, ("x",), output, weight=weight, bias=bias, **fields)
    return Network({"x": source}, {"x": shape}, (node,), "y"), x
