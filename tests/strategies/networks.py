"""Random small float networks, their inputs, and quantization specs for them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from kdq_ref import nn
from kdq_ref.errors import RangeError, ShapeError
from kdq_ref.infer import IntGraph
from kdq_ref.quant import QuantParams, QuantSpec, fold_batch_norm, lower
from kdq_ref.quant.schemes import weight_scales
from kdq_ref.quant.stages import split_stages

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.GELU, nn.HardSwish)


@dataclass
class _Growth:
    """A network under construction: nodes so far, and the value to go on from."""

    input_shape: tuple[int, ...]
    rng: np.random.Generator
    nodes: list[nn.Node] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    tip: str = "input"

    def append(self, layer: nn.Layer, *inputs: str) -> bool:
        """Append a node behind ``inputs`` (the tip by default), if the shapes allow it."""
        sources = inputs or (self.tip,)
        shapes = tuple(self.shapes[name] for name in sources)
        try:
            shape = layer.output_shape(shapes if layer.inputs > 1 else shapes[0])
        except ShapeError:
            return False
        name = f"n{len(self.nodes)}_{type(layer).__name__.lower()}"
        self.nodes.append(nn.Node(name, layer, sources))
        self.shapes[name] = shape
        self.tip = name
        return True


@st.composite
def networks(draw: st.DrawFn, *, batch_norm: bool = False, max_layers: int = 6) -> nn.Graph:
    """A connected float32 network on images or vectors, with every kind of layer.

    Parameters
    ----------
    batch_norm : bool
        Whether batch norm and dropout may appear (they must be folded before lowering).
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = st.integers(1, 7)
    image = st.tuples(size, size, st.integers(1, 4))
    shape = draw(st.one_of(image, image, image, st.tuples(size)))
    growth = _Growth(shape, rng, shapes={"input": shape})
    for _ in range(draw(st.integers(1, max_layers))):
        _grow(draw, growth, batch_norm)
    if all(isinstance(node.layer, nn.Dropout) for node in _needed(growth)):
        growth.append(nn.ReLU())
    graph = nn.Graph(shape, _needed(growth), growth.tip)
    style = draw(st.sampled_from(["normal", "extreme", "sparse", "ties", "dead channel"]))
    _fill(graph, style, rng)
    return graph


def _grow(draw: st.DrawFn, growth: _Growth, batch_norm: bool) -> None:
    shape = growth.shapes[growth.tip]
    kinds = ["activation", "add", "branch", "affine", "affine", "affine"]
    if len(shape) == 3:
        kinds += ["affine"] * 4 + ["max_pool", "avg_pool", "flatten", "global_avg_pool"]
    if batch_norm:
        kinds += ["batch_norm", "batch_norm", "dropout"]
    kind = draw(st.sampled_from(kinds))
    if kind == "activation":
        growth.append(draw(st.sampled_from(ACTIVATIONS))())
    elif kind == "add":
        same = [name for name, other in growth.shapes.items() if other == shape]
        growth.append(nn.Add(), growth.tip, draw(st.sampled_from(same)))
    elif kind == "branch":
        growth.tip = draw(st.sampled_from(list(growth.shapes)))
    elif kind == "affine":
        _grow_affine(draw, growth, batch_norm)
    elif kind in ("max_pool", "avg_pool"):
        cls = nn.MaxPool2d if kind == "max_pool" else nn.AvgPool2d
        growth.append(draw(_pools(cls)))
    elif kind == "batch_norm" and len(shape) == 3:  # vectors: only right behind an affine layer
        growth.append(nn.BatchNorm(shape[-1]))
    elif kind == "dropout":
        growth.append(nn.Dropout(0.5))
    elif kind == "flatten":
        growth.append(nn.Flatten())
    elif kind == "global_avg_pool":
        growth.append(nn.GlobalAvgPool())


def _grow_affine(draw: st.DrawFn, growth: _Growth, batch_norm: bool) -> None:
    shape = growth.shapes[growth.tip]
    bias, rng = draw(st.booleans()), growth.rng
    if len(shape) == 1:
        layer: nn.Layer = nn.Dense(shape[0], draw(st.integers(1, 6)), bias=bias, rng=rng)
    elif draw(st.booleans()):
        groups = draw(st.sampled_from([g for g in (1, 2, 3) if shape[2] % g == 0]))
        outputs = groups * draw(st.integers(1, 3))
        kernel, geometry = draw(_windows(shape))
        layer = nn.Conv2d(shape[2], outputs, kernel, groups=groups, bias=bias, rng=rng, **geometry)
    else:
        kernel, geometry = draw(_windows(shape))
        multiplier = draw(st.integers(1, 2))
        layer = nn.DepthwiseConv2d(
            shape[2], kernel, multiplier=multiplier, bias=bias, rng=rng, **geometry
        )
    appended = growth.append(layer)
    if appended and batch_norm and draw(st.booleans()):
        source = growth.tip
        growth.append(nn.BatchNorm(growth.shapes[source][-1]))
        if len(shape) == 1:  # batch norm of vectors must be its Dense layer's only reader
            del growth.shapes[source]
    if appended and draw(st.booleans()):
        growth.append(draw(st.sampled_from((nn.ReLU, nn.ReLU6)))())


@st.composite
def _windows(
    draw: st.DrawFn, shape: tuple[int, ...]
) -> tuple[tuple[int, int], dict[str, tuple[int, ...]]]:
    kernel = draw(st.integers(1, min(3, shape[0]))), draw(st.integers(1, min(3, shape[1])))
    return kernel, {
        "stride": draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        "dilation": draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        "padding": draw(st.tuples(*[st.integers(0, 2)] * 4)),
    }


@st.composite
def _pools(draw: st.DrawFn, cls: type[nn.Layer]) -> nn.Layer:
    kh, kw = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    rows, columns = st.integers(0, kh - 1), st.integers(0, kw - 1)
    return cls((kh, kw), stride=stride, padding=draw(st.tuples(rows, rows, columns, columns)))


def _needed(growth: _Growth) -> list[nn.Node]:
    """Leave out what does not contribute to the tip (a graph refuses it)."""
    used = {growth.tip}
    for node in reversed(growth.nodes):
        if node.name in used:
            used.update(node.inputs)
    return [node for node in growth.nodes if node.name in used]


def _fill(graph: nn.Graph, style: str, rng: np.random.Generator) -> None:
    """Give the parameters values in the given style, and the statistics some values."""
    for node in graph.nodes:
        layer = node.layer
        for key, value in (*layer.params.items(), *layer.buffers.items()):
            value[...] = rng.standard_normal(value.shape)
            if key == "var":
                value[...] = 0.5 + np.abs(value)
            elif style == "extreme":
                value[...] = rng.choice([-1.0, 1.0], value.shape)
            elif style == "sparse":
                value *= rng.random(value.shape) < 0.3
            elif style == "ties":  # multiples of 1/8: sums and halves that are exact
                value[...] = np.rint(value * 4) / 8
            elif style == "dead channel":
                value[..., 0] *= rng.choice([0.0, 1e-12])


@st.composite
def inputs(draw: st.DrawFn, graph: nn.Graph, *, max_batch: int = 3) -> np.ndarray:
    """A float32 batch for a network: normal, or extremes and zeros only."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, max_batch)), *graph.input_shape)
    if draw(st.booleans()):
        return rng.standard_normal(shape, dtype=np.float32)
    return rng.choice(np.array([-4, -0.5, 0, 0.5, 4], np.float32), shape)


_SCALES = st.sampled_from([2.0**-8, 2.0**-5, 2.0**-3, 0.1, 0.017, 0.4])


@st.composite
def specs(draw: st.DrawFn, graph: nn.Graph) -> QuantSpec:
    """Scales and zero points no calibration would choose: any zero point, saturating ranges."""
    zero_points = st.one_of(st.sampled_from([-128, -1, 0, 127]), st.integers(-128, 127))
    params = st.builds(
        lambda scale, zero_point: QuantParams(float(np.float32(scale)), zero_point),
        _SCALES,
        zero_points,
    )
    stages = split_stages(graph)
    granularity = draw(st.sampled_from(["per_channel", "per_tensor"]))
    activations = {"input": draw(params)}
    effective = dict(activations)
    weights = {}
    for stage in stages:
        source = effective[stage.node.inputs[0]]
        if stage.keeps_params:
            effective[stage.name] = source
        else:
            activations[stage.name] = effective[stage.name] = draw(params)
        if stage.affine:
            layer = stage.node.layer
            scales = weight_scales(
                layer.params["w"],
                granularity,
                bias=layer.params.get("b"),
                input_scale=source.scale,
            )
            weights[stage.node.name] = tuple(float(s) for s in scales)
    return QuantSpec(activations, weights, granularity, {"name": "by hand"})


@st.composite
def quantized_networks(draw: st.DrawFn) -> tuple[nn.Graph, QuantSpec]:
    """A network without batch norm and a spec for it, as ``lower`` takes them."""
    graph = fold_batch_norm(draw(networks()))
    return graph, draw(specs(graph))


def lowered(graph: nn.Graph, spec: QuantSpec, rule: str) -> IntGraph:
    """The integer network; the draw is rejected where a multiplier is too large for the rule."""
    try:
        return lower(graph, spec, rule)
    except RangeError as fault:
        if "takes multipliers below" in str(fault):
            reject()
        raise
