"""Small integer networks that use every operator, built by hand (no float world needed)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from strategies.rules import near

from kdq_ref import infer, nn, quant
from kdq_ref.infer.ops import Affine
from kdq_ref.rounding import RULES, Requant


def _requant(rng: np.random.Generator, rule: str, channels: int, scale: float) -> Requant:
    constants = near(RULES[rule], rng.uniform(0.5, 1.5, channels) * scale, rng)
    low, high = sorted(rng.integers(-128, 128, 2).tolist())
    return Requant(
        RULES[rule], constants, int(rng.integers(-128, 128)), min(low, -100), max(high, 99)
    )


def residual_network(seed: int, rule: str = "single_rounding") -> infer.IntGraph:
    """Every operator once: convolutions, a residual branch, pools, a table, dense.

    Input (6, 5, 3); output (4,).
    """
    rng = np.random.default_rng(seed)
    nodes: list[infer.IntNode] = []
    zero_points = {"input": int(rng.integers(-128, 128))}

    def add(name: str, op: infer.Op, *inputs: str) -> None:
        requant = getattr(op, "requant", None)
        zero_points[name] = requant.zero_point if requant else zero_points[inputs[0]]
        nodes.append(infer.IntNode(name, op, inputs, 0.125, zero_points[name]))

    def weights(*shape: int) -> dict[str, np.ndarray]:
        return {
            "weight": rng.integers(-127, 128, shape).astype(np.int8),
            "bias": rng.integers(-5000, 5000, shape[-1]).astype(np.int32),
        }

    def requant(channels: int, scale: float) -> Requant:
        return _requant(rng, rule, channels, scale)

    add(
        "conv",
        infer.Conv2d(
            **weights(3, 3, 3, 4),
            x_zero_point=zero_points["input"],
            requant=requant(4, 0.005),
            padding=(1, 1, 1, 1),
        ),
        "input",
    )
    add(
        "depthwise",
        infer.DepthwiseConv2d(
            **weights(3, 2, 1, 8),
            x_zero_point=zero_points["conv"],
            requant=requant(8, 0.01),
            stride=(2, 1),
            padding=(1, 0, 1, 0),
        ),
        "conv",
    )
    add(
        "grouped",
        infer.Conv2d(
            **weights(1, 1, 4, 8),
            x_zero_point=zero_points["depthwise"],
            requant=requant(8, 0.02),
            groups=2,
        ),
        "depthwise",
    )
    table = rng.integers(-128, 128, 256).astype(np.int8)
    add("table", infer.Lookup(table), "grouped")
    add(
        "sum",
        infer.Add(
            zero_points["table"], zero_points["depthwise"], 2**20, 700_001, requant(1, 2.0**-21)
        ),
        "table",
        "depthwise",
    )
    add("max", infer.MaxPool2d((2, 2), (1, 1), (1, 0, 0, 1)), "sum")
    add(
        "average",
        infer.AvgPool2d((2, 1), (1, 1), (0, 1, 0, 0), zero_points["max"], requant(1, 0.5)),
        "max",
    )
    add("flat", infer.Flatten(), "average")
    add("global", infer.GlobalAvgPool(zero_points["average"], requant(1, 0.05)), "average")
    size = int(np.prod(nodes[-3].op.output_shape((3, 5, 8))))
    add(
        "wide",
        infer.Dense(
            **weights(size, 8), x_zero_point=zero_points["flat"], requant=requant(8, 0.002)
        ),
        "flat",
    )
    add(
        "join",
        infer.Add(zero_points["wide"], zero_points["global"], 1000, 2**20, requant(1, 2.0**-20)),
        "wide",
        "global",
    )
    add(
        "logits",
        infer.Dense(**weights(8, 4), x_zero_point=zero_points["join"], requant=requant(4, 0.01)),
        "join",
    )
    return infer.IntGraph(
        input_shape=(6, 5, 3),
        input_scale=0.03125,
        input_zero_point=zero_points["input"],
        nodes=tuple(nodes),
        output="logits",
        rule=RULES[rule],
        source_digest="0" * 64,
        metadata={"classes": ["a", "b", "c", "d"]},
    )


RUNTIME_RULES = tuple(name for name, rule in RULES.items() if not rule.keeps_bias_real)
"""Rules whose networks runtimes can be given: their bias is an integer."""


def scaled_network(seed: int, rule: str = "single_rounding", *, divisor: int = 1) -> infer.IntGraph:
    """A network as lowering makes it, with the constants of float32 scales; every operator.

    Input (6, 5, 3); output (4,). Weights are divided by ``divisor`` afterwards, towards zero.
    """
    rng = np.random.default_rng([seed, 1])
    activations = (nn.ReLU, nn.ReLU6, nn.HardSwish)
    first, second = (activations[number]() for number in rng.integers(3, size=2))
    layers = [
        nn.Conv2d(3, 4, 3, rng=rng),
        first,
        nn.Residual([nn.DepthwiseConv2d(4, 3, rng=rng)]),
        nn.AvgPool2d(2, stride=1),
        nn.Conv2d(4, 6, (1, 2), padding="valid", groups=int(rng.choice([1, 2])), rng=rng),
        second,
        nn.MaxPool2d(2, stride=1),
        nn.Sigmoid() if rng.random() < 0.5 else nn.Tanh(),
    ]
    (size,) = list(nn.Sequential((6, 5, 3), [*layers, nn.Flatten()]).shapes().values())[-1]
    pooled = rng.random() < 0.3
    head = [nn.GlobalAvgPool()] if pooled else [nn.Flatten()]
    graph = nn.Sequential((6, 5, 3), [*layers, *head, nn.Dense(6 if pooled else size, 4, rng=rng)])
    x = rng.normal(rng.normal(), rng.uniform(0.2, 3), (8, 6, 5, 3)).astype(np.float32)
    weights = str(rng.choice(["per_channel", "per_tensor"]))
    lowered = quant.quantize(graph, x, rule=rule, weights=weights)
    nodes = tuple(
        replace(
            node, op=replace(node.op, weight=np.trunc(node.op.weight / divisor).astype(np.int8))
        )
        if isinstance(node.op, Affine)
        else node
        for node in lowered.nodes
    )
    return replace(lowered, nodes=nodes)
