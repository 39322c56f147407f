"""Integer networks: the graph, its exact NumPy execution, the C engine, and the model file.

Nothing here can import the float world (``nn``, ``functional``, ``quant``): that an integer network
needs none of it is a fact of the import graph, checked by a test. Floats remain at the two ends
(quantize, dequantize) and where a rounding rule's own definition has them.
"""

from kdq_ref.infer.bounds import accumulator_bounds
from kdq_ref.infer.engine import BoundEngine, Engine
from kdq_ref.infer.execution import run
from kdq_ref.infer.graph import IntGraph, IntNode
from kdq_ref.infer.model_file import load_model, save_model
from kdq_ref.infer.ops import (
    Add,
    AvgPool2d,
    Conv2d,
    Dense,
    DepthwiseConv2d,
    Flatten,
    GlobalAvgPool,
    Lookup,
    MaxPool2d,
    Op,
)

__all__ = [
    "Add",
    "AvgPool2d",
    "BoundEngine",
    "Conv2d",
    "Dense",
    "DepthwiseConv2d",
    "Engine",
    "Flatten",
    "GlobalAvgPool",
    "IntGraph",
    "IntNode",
    "Lookup",
    "MaxPool2d",
    "Op",
    "accumulator_bounds",
    "load_model",
    "run",
    "save_model",
]
