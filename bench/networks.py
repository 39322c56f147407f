"""The networks that are measured whole: the zoo's, and a ResNet-8."""

from __future__ import annotations

import numpy as np

from kdq_ref import nn, zoo


def build(name: str, rng: np.random.Generator) -> nn.Graph:
    """Build a network with random weights, biases, and batch-norm statistics that fit them.

    Parameters
    ----------
    name : str
        ``"resnet-8"`` or a name of :data:`kdq_ref.zoo.NAMES`.
    rng : numpy.random.Generator
    """
    graph = resnet_8(rng) if name == "resnet-8" else zoo.build(name, rng)
    for key, value in graph.parameters().items():
        if key.endswith(".b"):  # fresh ones are zero, which no trained network's are
            value[...] = rng.normal(0, 0.05, value.shape)
    set_statistics(graph, images(graph.input_shape, 32, rng), rng)
    return graph


def images(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> np.ndarray:
    """Noise in [0, 1] : (count, *shape) float32."""
    return rng.random((count, *shape), np.float32)


def set_statistics(graph: nn.Graph, x: np.ndarray, rng: np.random.Generator) -> None:
    """Make every batch norm's running statistics those of one batch x : (B, *input_shape)."""
    norms = [n.layer for n in graph.nodes if isinstance(n.layer, nn.BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    graph.update_statistics([graph.forward(x, training=True, rng=rng)[1]])
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def resnet_8(rng: np.random.Generator) -> nn.Graph:
    """Three residual blocks of 16, 32 and 64 channels on 32 x 32 x 3; 12.5 million MACs.

    He et al. (2015), arXiv:1512.03385, section 4.2 with n = 1 and projections, as in MLPerf Tiny.
    """

    def conv(c_in: int, c_out: int, kernel: int = 3, stride: int = 1) -> list[nn.Layer]:
        layer = nn.Conv2d(c_in, c_out, kernel, stride=stride, bias=False, rng=rng)
        return [layer, nn.BatchNorm(c_out)]

    layers: list[nn.Layer | nn.Residual] = [*conv(3, 16), nn.ReLU()]
    for c_in, c_out, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2)):
        body = [*conv(c_in, c_out, 3, stride), nn.ReLU(), *conv(c_out, c_out)]
        shortcut = conv(c_in, c_out, 1, stride) if stride > 1 else None
        layers += [nn.Residual(body, shortcut=shortcut), nn.ReLU()]
    head = nn.Dense(64, 10, rng=rng, init="glorot")
    return nn.Sequential((32, 32, 3), [*layers, nn.GlobalAvgPool(), head])
