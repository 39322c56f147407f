"""A quantized network as runtimes are given it: codes, scales and zero points, and no rounding.

What an :class:`~kdq_ref.infer.IntGraph` has decided (the rule, the multipliers) is what runtimes
decide differently; so here a node holds scales, and a dialect says what becomes of them. A single
operator is a network of one node.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from kdq_ref.errors import GraphError
from kdq_ref.geometry import Padding, Pair, window_output

OPERATORS = (
    "quantize",
    "dequantize",
    "dense",
    "conv2d",
    "depthwise_conv2d",
    "max_pool2d",
    "avg_pool2d",
    "global_avg_pool",
    "add",
    "mul",
    "concat",
    "relu",
    "relu6",
    "clip",
    "sigmoid",
    "tanh",
    "hard_swish",
    "softmax",
    "flatten",
)
"""What a node may compute; layouts and names are those of :mod:`kdq_ref.intref`."""


@dataclass(frozen=True)
class Encoding:
    """How a tensor is stored: ``real = scale * (code - zero_point)``.

    Attributes
    ----------
    dtype : str
        ``"int8"``, ``"uint8"``, ``"int16"``, or ``"float32"`` (a real tensor; scale 1, zero point
        0).
    scale : float
        Exactly representable in float32: that is what files of runtimes hold.
    zero_point : int
        A code of ``dtype``.
    """

    dtype: str
    scale: float = 1.0
    zero_point: int = 0

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest code."""
        info = np.iinfo(self.dtype)
        return int(info.min), int(info.max)


@dataclass(frozen=True, eq=False)
class Weight:
    """Weights of a dense layer or a convolution, symmetric.

    Attributes
    ----------
    codes : int8 ndarray
        ``(in, out)``, ``(kh, kw, in/groups, out)``, or ``(kh, kw, 1, in*m)`` for depthwise.
    scales : (out,) or (1,) float32 ndarray
        Per output channel, or per tensor.
    """

    codes: np.ndarray
    scales: np.ndarray


@dataclass(frozen=True, eq=False)
class Node:
    """One operator.

    Attributes
    ----------
    name : str
        Also the name of the value it produces.
    operator : str
        One of :data:`OPERATORS`.
    inputs : tuple of str
        Names of earlier nodes or of the network's inputs.
    output : Encoding
    weight : Weight or None
    bias : (out,) int32 ndarray or None
        In units of ``input scale * weight scale``.
    kernel, stride, dilation : (int, int)
    padding : (top, bottom, left, right)
        Padded positions hold real zero; a pooling window leaves them out.
    groups : int
    clamp : (float, float) or None
        Real bounds of a fused activation (ReLU is ``(0, inf)``), or of ``clip``.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    output: Encoding
    weight: Weight | None = None
    bias: np.ndarray | None = None
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    groups: int = 1
    clamp: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Network:
    """Named inputs, and nodes in topological order.

    Attributes
    ----------
    inputs : dict of str to Encoding
    shapes : dict of str to tuple of int
        Shape of one sample of every input: ``(H, W, C)`` or ``(K,)``.
    nodes : tuple of Node
    output : str
        Name of the value that is the result.

    Raises
    ------
    GraphError
        For unknown operators, duplicate names, and inputs that come later.
    """

    inputs: dict[str, Encoding]
    shapes: dict[str, tuple[int, ...]]
    nodes: tuple[Node, ...]
    output: str
    encodings: dict[str, Encoding] = field(init=False)

    def __post_init__(self) -> None:
        known = dict(self.inputs)
        for node in self.nodes:
            if node.operator not in OPERATORS:
                raise GraphError(
                    f"node {node.name!r}: unknown operator {node.operator!r}; "
                    f"choose one of {', '.join(OPERATORS)}"
                )
            missing = [name for name in node.inputs if name not in known]
            if missing:
                raise GraphError(f"node {node.name!r} reads {missing[0]!r}, which comes later")
            if node.name in known:
                raise GraphError(f"two values are called {node.name!r}")
            known[node.name] = node.output
        if self.output not in known:
            raise GraphError(f"output {self.output!r} is not a value of the network")
        object.__setattr__(self, "encodings", known)

    def stored_as(self, dtype: str) -> Network:
        """Return the same network with its 8-bit activations stored as ``"int8"`` or ``"uint8"``.

        Codes and zero points move by 128; the reals stay.
        """
        return replace(
            self,
            inputs={name: _stored(encoding, dtype) for name, encoding in self.inputs.items()},
            nodes=tuple(replace(node, output=_stored(node.output, dtype)) for node in self.nodes),
        )


def _stored(encoding: Encoding, dtype: str) -> Encoding:
    if encoding.dtype not in ("int8", "uint8") or encoding.dtype == dtype:
        return encoding
    move = 128 if dtype == "uint8" else -128
    return Encoding(dtype, encoding.scale, encoding.zero_point + move)


def store(codes: np.ndarray, dtype: str) -> np.ndarray:
    """Move 8-bit codes to ``"int8"`` or ``"uint8"`` storage; other dtypes stay as they are."""
    if codes.dtype.name not in ("int8", "uint8") or codes.dtype.name == dtype:
        return codes
    # Adding or subtracting 128 modulo 256 flips the top bit.
    return (codes.view(np.uint8) ^ np.uint8(128)).view(dtype)


def value_shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """Shape of one sample of every value.

    Raises
    ------
    GraphError
        For a node whose weight is missing.
    ShapeError
        For a window that does not fit.
    """
    shapes = dict(network.shapes)
    for node in network.nodes:
        shapes[node.name] = node_shape(node, [shapes[name] for name in node.inputs])
    return shapes


def node_shape(node: Node, sources: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Shape of one sample of a node whose inputs have the shapes ``sources``.

    Raises
    ------
    GraphError, ShapeError
        As :func:`value_shapes`.
    """
    source = sources[0]
    if node.operator in ("dense", "conv2d", "depthwise_conv2d"):
        if node.weight is None:
            raise GraphError(f"node {node.name!r} ({node.operator}) has no weight")
        codes = node.weight.codes
        if node.operator == "dense":
            return (codes.shape[1],)
        kernel, channels = (codes.shape[0], codes.shape[1]), codes.shape[3]
    elif node.operator in ("max_pool2d", "avg_pool2d"):
        kernel, channels = node.kernel, source[2]
    elif node.operator == "global_avg_pool":
        return (source[2],)
    elif node.operator == "concat":
        return (*source[:-1], sum(shape[-1] for shape in sources))
    elif node.operator == "flatten":
        return (int(np.prod(source)),)
    else:
        return source
    size = (source[0], source[1])
    return *window_output(size, kernel, node.stride, node.padding, node.dilation), channels


def code_bounds(encoding: Encoding, clamp: tuple[float, float]) -> tuple[int, int]:
    """Codes of the bounds of a clamp: quantized as any number is, half to even in float32.

    Parameters
    ----------
    encoding : Encoding
        Of the clamped value.
    clamp : (float, float)
        Real; may be infinite.

    Returns
    -------
    (int, int)
        Inside the limits of the encoding.
    """
    low, high = encoding.limits
    with np.errstate(over="ignore"):  # what is too far away clamps
        codes = np.rint(np.asarray(clamp, np.float32) / np.float32(encoding.scale))
    first, last = np.clip(codes.astype(np.float64) + encoding.zero_point, low, high)
    return int(first), int(last)


def real_bounds(node: Node) -> tuple[float, float]:
    """What relu, relu6 or clip clamps to, in reals.

    Raises
    ------
    GraphError
        For a clip without bounds.
    """
    if node.operator == "relu":
        return 0.0, float("inf")
    if node.operator == "relu6":
        return 0.0, 6.0
    if node.clamp is None:
        raise GraphError(f"node {node.name!r} is a clip without bounds")
    return node.clamp


def real_bias(network: Network, node: Node) -> np.ndarray | None:
    """The bias in reals, for runtimes whose bias is a float: ``float32(bias * s_x * s_w)``.

    The product is in float64.

    Returns
    -------
    (out,) float32 ndarray, or None
        None where there is no bias.
    """
    if node.bias is None or node.weight is None:
        return None
    scale = network.encodings[node.inputs[0]].scale
    products = node.bias * (scale * node.weight.scales.astype(np.float64))
    return products.astype(np.float32)
