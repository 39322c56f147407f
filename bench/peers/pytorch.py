"""PyTorch's eager quantized operators, with the engines FBGEMM and oneDNN.

uint8 activations, int8 weights per channel, weights packed beforehand, one operator call after the
other; a network pays Python between operators, as it does in eager mode. Its outputs are allocated
by PyTorch: these operators offer nothing else.

Their bias is a float. Average pooling keeps the scale of its input.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from bench.models import Problem
from bench.peers import Runner, Unavailable, Unsupported
from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.network import Network, store
from kdq_ref.verify.oracles.pytorch import PyTorch as Oracle
from kdq_ref.verify.oracles.pytorch import as_codes, as_tensor

# These operators are to leave PyTorch one day; the extra in pyproject.toml pins one that has them.
warnings.filterwarnings("ignore", message=".*quantized tensor creation functions")

_AVERAGES = ("avg_pool2d", "global_avg_pool")


class PyTorch:
    """One engine."""

    version = torch.__version__

    def __init__(self, name: str) -> None:
        self.name = name
        self._oracle = Oracle(name.replace("torch-", "pytorch-"))
        if self._oracle.version() is None:
            raise Unavailable(f"this build of torch has no engine {self._oracle.engine!r}")

    def prepare(self, problem: Problem, threads: int) -> Runner:
        """Pack the weights and chain the operators."""
        torch.set_grad_enabled(False)
        torch.set_num_threads(threads)
        # Packing decides which engine an operator uses from then on.
        torch.backends.quantized.engine = self._oracle.engine
        try:
            network = _averages_keep_scale(problem.model.network.stored_as("uint8"))
            steps = self._oracle.prepare(network)
        except UnsupportedError as fault:
            raise Unsupported(str(fault)) from fault
        x = as_tensor(store(problem.codes, "uint8"), network.inputs["input"])

        if len(steps) == 1:
            operator = steps[0][1]

            def call() -> Any:
                return operator(x)

        else:

            def call() -> Any:
                values = {"input": x}
                for node, operator in steps:
                    values[node.name] = operator(*(values[name] for name in node.inputs))
                return values[network.output]

        def codes() -> np.ndarray:
            return store(as_codes(call()), "int8")

        averages = any(node.operator in _AVERAGES for node in network.nodes)
        return Runner(call, codes, "average pooling keeps its input's scale" if averages else "")


def peer(name: str) -> PyTorch:
    """Return the engine of that name."""
    return PyTorch(name)


def _averages_keep_scale(network: Network) -> Network:
    nodes, encodings = [], dict(network.inputs)
    for node in network.nodes:
        if node.operator in _AVERAGES:
            node = replace(node, output=encodings[node.inputs[0]], clamp=None)
        encodings[node.name] = node.output
        nodes.append(node)
    return replace(network, nodes=tuple(nodes))
