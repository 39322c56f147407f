"""Activation functions of PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from strategies.dialects import same_as_the_runtime

from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.dialects.pytorch import DIALECTS
from kdq_ref.verify.dialects.pytorch_activations import (
    FUNCTIONS,
    TABLE_FUNCTIONS,
    VECTOR_FUNCTIONS,
    hard_swish,
    sigmoid,
    sigmoid_table,
    sigmoid_vectors,
)
from kdq_ref.verify.network import Encoding, Network, Node

_SIGMOID, _TANH = Encoding("uint8", 1 / 256, 0), Encoding("uint8", 1 / 128, 128)


@pytest.mark.parametrize("functions", [FUNCTIONS, VECTOR_FUNCTIONS, TABLE_FUNCTIONS])
def test_they_are_what_they_are_called(functions: dict[str, Any]) -> None:
    """Within a few float32 of the function itself."""
    floats = np.linspace(-20, 20, 20_032).astype(np.float32)
    x = floats.astype(np.float64)
    for name, exact in (("sigmoid", 1 / (1 + np.exp(-x))), ("tanh", np.tanh(x))):
        np.testing.assert_allclose(functions[name](floats), exact, rtol=3e-7)
    np.testing.assert_allclose(hard_swish(floats), x * np.clip(x + 3, 0, 6) / 6, rtol=3e-7)


def test_a_lone_sigmoid_is_a_double_until_its_end() -> None:
    """Of this float32 half of a code remains; with float32 steps a bit less than half."""
    x = np.array([float.fromhex("0x1.7c14e8p+1")], np.float32)
    assert sigmoid(x).item() * 256 == 243.5
    assert sigmoid_table(x).item() * 256 == np.nextafter(np.float32(243.5), np.float32(0))


@pytest.mark.parametrize("function", [sigmoid, sigmoid_table, sigmoid_vectors])
def test_far_out_a_sigmoid_is_nothing_or_one(function: Any) -> None:
    """Without a warning, where its exponential overflows."""
    x = np.array([-1e30, -np.inf, -100, 100, 1e30, np.inf], np.float32)
    assert function(x).tolist() == pytest.approx([0, 0, 0, 1, 1, 1], abs=1e-40)


def _network(operator: str, source: Encoding, output: Encoding, width: int) -> Network:
    node = Node("y", operator, ("x",), output)
    return Network({"x": source}, {"x": (width,)}, (node,), "y")


_KNOWN = [
    # A block dequantizes as s * (q - zp); fused, -1.53177... is one float32 away, and gives 45.
    ("pytorch-fbgemm", "sigmoid", (0.009117698296904564, 255), _SIGMOID, 87, 64, 46),
    ("pytorch-fbgemm", "sigmoid", (0.22753921151161194, 82), _SIGMOID, 83, 64, 142),
    # Float64 for a lone one, float32 in a table.
    ("pytorch-fbgemm", "sigmoid", (2.969388008117676, 0), _SIGMOID, 1, 1, 244),
    ("pytorch-qnnpack", "sigmoid", (2.969388008117676, 0), _SIGMOID, 1, 1, 243),
    # SLEEF's tanh is a tie here; the nearest float32 would be above, and give 151.
    ("pytorch-fbgemm", "tanh", (0.1776260733604431, 0), _TANH, 1, 64, 150),
    # The C library's tanh, and the zero point is added before rounding.
    ("pytorch-qnnpack", "tanh", (0.01973988115787506, 109), _TANH, 123, 1, 162),
    ("pytorch-qnnpack", "tanh", (0.00841779075562954, 92), _TANH, 31, 1, 68),
    ("pytorch-qnnpack", "hard_swish", (0.04169343039393425, 37), ("uint8", 0.25, 32), 1, 1, 30),
    # 200 * 2**20 * 2**10 is clamped below 2**31; with the zero point it wraps around.
    ("pytorch-fbgemm", "hard_swish", (2.0**20, 0), ("uint8", 2.0**-10, 128), 200, 64, 0),
    ("pytorch-fbgemm", "hard_swish", (2.0**20, 0), ("uint8", 2.0**-10, 127), 200, 64, 255),
    ("pytorch-fbgemm", "hard_swish", (2.0**20, 0), ("uint8", 2.0**-10, 128), 200, 1, 255),
]


@pytest.mark.parametrize(("name", "operator", "source", "output", "code", "width", "value"), _KNOWN)
def test_codes_where_the_order_of_steps_decides(
    name: str,
    operator: str,
    source: tuple[float, int],
    output: Encoding | tuple[str, float, int],
    code: int,
    width: int,
    value: int,
) -> None:
    """Measured with torch 2.13.0: a block of 64, or one element alone."""
    encoding = output if isinstance(output, Encoding) else Encoding(*output)
    network = _network(operator, Encoding("uint8", *source), encoding, width)
    codes = np.full((1, width), code, np.uint8)
    assert np.unique(get_dialect(name).run(network, {"x": codes})["y"]).tolist() == [value]
    same_as_the_runtime(name, network, {"x": codes})


@pytest.mark.parametrize("operator", ["sigmoid", "tanh", "hard_swish"])
@pytest.mark.parametrize("name", DIALECTS)
def test_rows_of_any_length_equal_the_runtime(name: str, operator: str) -> None:
    """Samples have rows of 256: here are elements that fill no block of 64, in ties too."""
    rng = np.random.default_rng(7)
    output = {"sigmoid": _SIGMOID, "tanh": _TANH}.get(operator)
    for number in range(60):
        width, zero_point = int(rng.integers(1, 200)), int(rng.integers(0, 256))
        scale = float(np.float32(2.0 ** rng.uniform(-8, -2)))
        if number % 2:
            # The code next to the zero point gets a value on a half, or beside it.
            tie = (rng.integers(128, 256) + 0.5) / 256
            real = {"sigmoid": np.log(tie / (1 - tie)), "tanh": np.arctanh(2 * tie - 1)}
            scale = float(np.float32(real.get(operator, 2.0 ** -int(rng.integers(1, 8)))))
        target = output or Encoding("uint8", scale / 2, zero_point)
        network = _network(operator, Encoding("uint8", scale, zero_point), target, width)
        codes = rng.integers(0, 256, (1, width), dtype=np.uint8)
        codes[:, ::3] = min(255, zero_point + 1)
        same_as_the_runtime(name, network, {"x": codes})
