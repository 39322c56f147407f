"""Which nodes XNNPACK makes one table of, and what becomes of a product inside it or outside.

A chain of functions of one code becomes a table of 256 codes, made by running the chain
(``xnn_subgraph_fuse_unary_quantized_into_lut``); that changes no bit. But a value times itself that
is in no chain becomes a square afterwards, and a square rounds differently from a product: found by
running networks of both kinds, for the source that was at hand is older than the runtime.
"""

from __future__ import annotations

from kdq_ref.verify.dialects import xnnpack
from kdq_ref.verify.network import Encoding, Network, Node


def is_square(network: Network, node: Node) -> bool:
    """Whether XNNPACK computes the product ``node`` as a square: of itself, behind no chain."""
    return node.inputs[0] == node.inputs[1] and chain_root(network, node.inputs[0]) is None


def chain_root(network: Network, name: str) -> str | None:
    """Return the value that the chain ending in the value ``name`` starts from; None for no chain.

    Every link but the first has one consumer, and the network's output is no link.
    """
    producer = next((node for node in network.nodes if node.name == name), None)
    consumers = sum(name in node.inputs for node in network.nodes)
    if producer is None or consumers != 1 or name == network.output:
        return None
    if _ends_in_one_input(network, producer):
        return chain_root(network, producer.inputs[0]) or producer.inputs[0]
    if producer.operator in ("add", "mul") and _is_delegated(network, producer):
        roots = [chain_root(network, source) for source in producer.inputs]
        starts = {root or source for root, source in zip(roots, producer.inputs, strict=True)}
        if any(roots) and len(starts) == 1:
            return starts.pop()
        # A clamp is a node of its own in XNNPACK's graph.
        return name if producer.clamp is not None else None
    return None


def _is_delegated(network: Network, node: Node) -> bool:
    takes = xnnpack.takes_add if node.operator == "add" else xnnpack.takes_mul
    return takes(network, node)


def _ends_in_one_input(network: Network, node: Node) -> bool:
    """Whether the last thing that XNNPACK runs for the node is a function of one code."""
    start, end = network.encodings[node.inputs[0]], node.output
    if node.operator in ("sigmoid", "tanh"):
        return True
    if node.operator == "quantize":
        if start.dtype == "float32":
            return chain_root(network, node.inputs[0]) is not None
        return xnnpack.takes_change(start, end)
    if node.operator == "dequantize":
        return True
    if node.operator == "max_pool2d" and node.kernel == node.stride == (1, 1):
        return True
    return node.operator in ("max_pool2d", "avg_pool2d", "flatten") and _changes(start, end)


def _changes(start: Encoding, end: Encoding) -> bool:
    return start != end and xnnpack.takes_change(start, end)
