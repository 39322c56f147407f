"""Tables that lowering, our dialect and the reading of models share."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref import nn, quant
from kdq_ref.verify.network import Encoding
from kdq_ref.verify.tables import FUNCTIONS, table

LAYERS = {
    "relu": nn.ReLU(),
    "relu6": nn.ReLU6(),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "hard_swish": nn.HardSwish(),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_table_is_what_lowering_makes(name: str) -> None:
    """Of the layer of that name."""
    graph = nn.Sequential((9,), [LAYERS[name]])
    images = np.random.default_rng(0).normal(0, 4, (50, 9)).astype(np.float32)
    lowered = quant.lower(graph, quant.calibrate(graph, images))
    (node,) = lowered.nodes
    source = Encoding("int8", lowered.input_scale, lowered.input_zero_point)
    made = table(FUNCTIONS[name], source, Encoding("int8", node.scale, node.zero_point))
    np.testing.assert_array_equal(made, node.op.table)
    assert len(np.unique(made)) > 10
