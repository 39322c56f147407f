"""Activation functions of ONNX Runtime in float32."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from strategies.dialects import installed

from kdq_ref.verify.dialects.mlas_activations import FUNCTIONS, hard_swish, logistic, tanh

_X = np.float32(np.concatenate([np.linspace(-20, 20, 20_001), [0, -0.0, 1e-30, 100, -100]]))


@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (logistic, lambda x: 1 / (1 + np.exp(-x))),
        (tanh, np.tanh),
        (hard_swish, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    ],
)
def test_they_are_what_they_are_called(
    function: Callable[[np.ndarray], np.ndarray], exact: Callable[[np.ndarray], np.ndarray]
) -> None:
    """Within a few float32 of the function itself."""
    np.testing.assert_allclose(function(_X), exact(_X.astype(np.float64)), rtol=2e-6, atol=3e-7)


@pytest.mark.parametrize(("operator", "kind"), [("sigmoid", "Sigmoid"), ("tanh", "Tanh")])
def test_reals_equal_the_runtime_in_every_bit(operator: str, kind: str) -> None:
    """Not only the codes: the float32 numbers before they are quantized."""
    oracle = installed("onnxruntime")
    from onnx import TensorProto, helper

    body = helper.make_graph(
        [helper.make_node(kind, ["x"], ["y"])],
        "reals",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [len(_X)])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [len(_X)])],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(body, opset_imports=opsets, ir_version=9)
    (answer,) = oracle.session(model.SerializeToString()).run(None, {"x": _X})
    np.testing.assert_array_equal(FUNCTIONS[operator](_X), answer)
