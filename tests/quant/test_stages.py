"""Which nodes are fused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from strategies.networks import networks

from kdq_ref import nn
from kdq_ref.errors import GraphError
from kdq_ref.quant.stages import split_stages

_RNG = np.random.default_rng(0)


def _conv() -> nn.Conv2d:
    return nn.Conv2d(2, 2, 3, rng=_RNG)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([_conv, nn.ReLU], [("b", "a", nn.ReLU)]),
        ([_conv, nn.ReLU6], [("b", "a", nn.ReLU6)]),
        ([nn.GlobalAvgPool, nn.ReLU], [("b", "a", nn.ReLU)]),
        # A pool moves codes and clamps nothing; a second clamp has no place.
        (
            [_conv, lambda: nn.MaxPool2d(2), nn.ReLU],
            [("a", "a", None), ("b", "b", None), ("c", "c", None)],
        ),
        ([_conv, nn.ReLU6, nn.ReLU], [("b", "a", nn.ReLU6), ("c", "c", None)]),
        ([_conv, nn.GELU], [("a", "a", None), ("b", "b", None)]),
        ([nn.ReLU], [("a", "a", None)]),
    ],
)
def test_clamps_are_fused_into_what_requantizes(layers: Any, expected: Any) -> None:
    """Stages as (value, computed node, fused activation), worked out by hand."""
    named = [(name, make()) for name, make in zip("abc", layers, strict=False)]
    graph = nn.Sequential((4, 4, 2), named)
    found = [(s.name, s.node.name, s.clamp and type(s.clamp)) for s in split_stages(graph)]
    assert found == expected


def test_a_value_with_another_reader_is_not_fused() -> None:
    """The value before the ReLU is needed too, so it must exist."""
    nodes = [
        nn.Node("conv", _conv(), ("input",)),
        nn.Node("relu", nn.ReLU(), ("conv",)),
        nn.Node("sum", nn.Add(), ("conv", "relu")),
        nn.Node("end", nn.ReLU(), ("sum",)),
    ]
    stages = split_stages(nn.Graph((4, 4, 2), nodes))
    assert [stage.name for stage in stages] == ["conv", "relu", "end"]


@given(networks())
def test_stages_read_only_values_of_earlier_stages(graph: nn.Graph) -> None:
    """No stage reads a value that fusion removed, and the output is a stage's value."""
    known = {"input"}
    for stage in split_stages(graph):
        assert known.issuperset(stage.node.inputs)
        known.add(stage.name)
    assert graph.output in known


def test_layers_without_an_integer_form_are_refused() -> None:
    """The error names node and layer, and what to do."""
    for layer in (nn.BatchNorm(2), nn.Dropout(0.5)):
        with pytest.raises(GraphError, match=r"'odd'.*fold_batch_norm first"):
            split_stages(nn.Sequential((4, 4, 2), [("odd", layer)]))

    class Custom(nn.Layer):
        """A layer of somebody else's."""

    with pytest.raises(GraphError, match="'odd': Custom has no integer form"):
        split_stages(nn.Sequential((4,), [("odd", Custom())]))
