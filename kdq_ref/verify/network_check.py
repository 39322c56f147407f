"""Whether a network from a file is one that dialects can compute: every field, every operand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kdq_ref.checks import check_array, check_finite, check_in_range, check_int, check_positive_int
from kdq_ref.errors import DTypeError, GraphError, RangeError, ShapeError
from kdq_ref.geometry import as_pair
from kdq_ref.operands import MAX_PADDED, MAX_STEP
from kdq_ref.verify.network import Encoding, Network, Node, Weight, node_shape

_AFFINE = ("dense", "conv2d", "depthwise_conv2d")
_POOLS = ("max_pool2d", "avg_pool2d")
_IMAGES = ("conv2d", "depthwise_conv2d", *_POOLS, "global_avg_pool")
_CODES = ("int8", "uint8")
_SMALLEST, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


def check_network(network: Network) -> dict[str, tuple[int, ...]]:
    """Check what the types of a network do not: numbers, shapes, operands.

    Activations have 8 bits; ``quantize`` reads reals, and ``dequantize`` writes them.

    Returns
    -------
    dict of str to tuple of int
        Shape of one sample of every value.

    Raises
    ------
    DTypeError, GraphError, NotFiniteError, RangeError, ShapeError
        Naming the value or the node.
    """
    if not network.inputs or network.inputs.keys() != network.shapes.keys():
        raise GraphError("every input needs an encoding and a shape")
    for name, encoding in network.encodings.items():
        _check_encoding(name, encoding)
    shapes = dict(network.shapes)
    for name, shape in shapes.items():
        if len(shape) not in (1, 3):
            raise ShapeError(f"input {name!r} must be (K,) or (H, W, C), got {shape}")
        for size in shape:
            check_positive_int(f"a size of input {name!r}", size)
    for node in network.nodes:
        sources = [shapes[name] for name in node.inputs]
        _check_storage(network, node)
        _check_operands(node, sources)
        shapes[node.name] = node_shape(node, sources)
    return shapes


def check_inputs(network: Network, inputs: Mapping[str, np.ndarray]) -> None:
    """Check that a batch of codes, or of reals, was given for every input.

    Raises
    ------
    DTypeError, NotFiniteError, ShapeError
    """
    sizes = {name: len(x) if x.ndim else 0 for name, x in inputs.items()}
    if len(set(sizes.values())) != 1 or 0 in sizes.values():
        raise ShapeError(f"inputs must be batches of one size, got {sizes}")
    for name, encoding in network.inputs.items():
        shape = (sizes[name], *network.shapes[name])
        x = check_array(f"input {name!r}", inputs[name], dtype=encoding.dtype, shape=shape)
        if encoding.dtype == "float32":
            check_finite(f"input {name!r}", x)


def _check_encoding(name: str, encoding: Encoding) -> None:
    if encoding.dtype not in (*_CODES, "float32"):
        raise DTypeError(f"value {name!r} must be int8, uint8 or float32, got {encoding.dtype!r}")
    if encoding.dtype == "float32":
        if encoding != Encoding("float32"):
            raise RangeError(f"value {name!r} is real: its scale is 1 and its zero point 0")
        return
    if not isinstance(encoding.scale, float):
        raise DTypeError(f"the scale of {name!r} must be a float, got {encoding.scale!r}")
    check_in_range(f"the scale of {name!r}", encoding.scale, _SMALLEST, _LARGEST)
    if float(np.float32(encoding.scale)) != encoding.scale:
        raise RangeError(f"the scale of {name!r} must be a float32, got {encoding.scale!r}")
    check_int(f"the zero point of {name!r}", encoding.zero_point, *encoding.limits)


def _check_storage(network: Network, node: Node) -> None:
    binary = node.operator in ("add", "mul")
    if len(node.inputs) != (2 if binary else 1) and not (node.operator == "concat" and node.inputs):
        raise GraphError(f"node {node.name!r} ({node.operator}) has {len(node.inputs)} inputs")
    stored = {network.encodings[name].dtype for name in node.inputs}
    real = {"float32"}
    if (stored == real) != (node.operator == "quantize"):
        raise DTypeError(f"node {node.name!r} ({node.operator}) cannot read {sorted(stored)}")
    if (node.output.dtype == "float32") != (node.operator == "dequantize"):
        raise DTypeError(f"node {node.name!r} ({node.operator}) cannot write {node.output.dtype}")
    if len((stored | {node.output.dtype}) - real) != 1:
        raise DTypeError(f"node {node.name!r}: codes are int8 or uint8, not both")


def _check_operands(node: Node, sources: list[tuple[int, ...]]) -> None:
    where = f"node {node.name!r} ({node.operator})"
    for name in ("kernel", "stride", "dilation"):
        if max(as_pair(f"{where}: {name}", getattr(node, name))) > MAX_STEP:
            raise RangeError(f"{where}: {name} must be at most {MAX_STEP}")
    if len(node.padding) != 4:
        raise ShapeError(f"{where}: padding must be (top, bottom, left, right)")
    for part in node.padding:
        check_int(f"{where}: padding", part, 0, MAX_STEP)
    check_positive_int(f"{where}: groups", node.groups)
    _check_clamp(where, node)
    source = sources[0]
    if node.operator in _IMAGES and len(source) != 3:
        raise ShapeError(f"{where} reads samples of shape (H, W, C), got {source}")
    if node.operator in ("add", "mul") and sources[1] != source:
        raise ShapeError(f"{where}: shapes {sources} differ")
    if node.operator == "concat" and len({shape[:-1] for shape in sources}) != 1:
        raise ShapeError(f"{where}: shapes {sources} differ in front of their channels")
    if len(source) == 3:
        height = source[0] + node.padding[0] + node.padding[1]
        width = source[1] + node.padding[2] + node.padding[3]
        if height * width > MAX_PADDED:
            raise ShapeError(f"{where}: {height} x {width} padded positions are too many")
    if node.operator in _POOLS:
        top, bottom, left, right = node.padding
        # A window of nothing but padding has no largest code and no mean.
        if max(top, bottom) >= node.kernel[0] or max(left, right) >= node.kernel[1]:
            raise ShapeError(f"{where}: padding {node.padding} holds whole {node.kernel} windows")
    if (node.weight is not None) != (node.operator in _AFFINE):
        raise GraphError(f"{where}: dense layers and convolutions have a weight, others none")
    if node.weight is None and node.bias is not None:
        raise GraphError(f"{where} has a bias and no weight")
    if node.weight is not None:
        _check_weight(where, node, node.weight, source)


def _check_clamp(where: str, node: Node) -> None:
    if node.clamp is None:
        if node.operator == "clip":
            raise GraphError(f"{where} has no bounds")
        return
    for bound in node.clamp:
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            raise DTypeError(f"{where}: a bound must be a number or null, got {bound!r}")
        if _LARGEST < abs(bound) < float("inf"):
            raise RangeError(f"{where}: a bound must fit float32, got {bound!r}")
    if not node.clamp[0] <= node.clamp[1]:
        raise RangeError(f"{where}: bounds must be in order, got {node.clamp}")


def _check_weight(where: str, node: Node, weight: Weight, source: tuple[int, ...]) -> None:
    codes = check_array(f"{where}: codes", weight.codes, dtype=np.int8)
    rank = 2 if node.operator == "dense" else 4
    if codes.ndim != rank or 0 in codes.shape:
        raise ShapeError(
            f"{where}: codes must have {rank} axes and no empty one, got {codes.shape}"
        )
    if node.operator == "dense" and len(source) != 1:
        raise ShapeError(f"{where} reads samples of shape (K,), got {source}")
    groups, outputs = node.groups, codes.shape[-1]
    if node.operator == "depthwise_conv2d":
        groups = source[-1]
    elif node.operator == "dense":
        groups = 1
    if codes.shape[-2] * groups != source[-1] or outputs % groups:
        raise ShapeError(
            f"{where}: codes {codes.shape} in {groups} groups do not fit samples {source}"
        )
    check_array(f"{where}: scales", weight.scales, dtype=np.float32)
    if weight.scales.shape not in ((1,), (outputs,)):
        raise ShapeError(f"{where}: {weight.scales.shape} scales for {outputs} outputs")
    for scale in (weight.scales.min(), weight.scales.max()):
        check_in_range(f"{where}: a scale", float(scale), _SMALLEST, _LARGEST)
    if node.bias is not None:
        check_array(f"{where}: bias", node.bias, dtype=np.int32, shape=(outputs,))
