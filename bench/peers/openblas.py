"""NumPy in float32: what the network costs without quantization."""

from __future__ import annotations

import numpy as np

from bench.models import Problem
from bench.peers import Runner
from kdq_ref import intref, nn


class NumPy:
    """Matrix products through NumPy's BLAS; the rest through the float framework of kdq_ref.

    The number of BLAS threads is fixed when NumPy is imported: ``bench/__main__.py`` sets it.
    """

    name = "numpy"
    version = np.__version__

    def prepare(self, problem: Problem, threads: int) -> Runner:
        """Prepare the float network on dequantized inputs."""
        graph = problem.model.graph
        x = intref.dequantize(
            problem.codes, scale=graph.input_scale, zero_point=graph.input_zero_point
        )
        network = problem.model.float_graph
        layers = [node.layer for node in network.nodes]
        if len(layers) == 1 and isinstance(layers[0], nn.Dense):
            weight = layers[0].params["w"]
            out = np.empty((len(x), weight.shape[1]), np.float32)
            return Runner(lambda: np.matmul(x, weight, out=out), note="float32, the product only")
        return Runner(lambda: network(x), note="float32")


def peer(name: str) -> NumPy:
    """Return the one peer of this family."""
    return NumPy()
