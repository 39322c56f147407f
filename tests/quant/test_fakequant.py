"""The fake-quantized network is the integer network, bit for bit and value by value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies.networks import inputs, lowered, networks, quantized_networks

from kdq_ref import infer, nn
from kdq_ref.errors import DTypeError, NotFiniteError, ShapeError
from kdq_ref.infer.execution import trace
from kdq_ref.quant import QuantParams, QuantSpec, calibrate, fake_quantize
from kdq_ref.quant.fakequant import exact_dtype
from kdq_ref.rounding import RULES


def _assert_same(graph: nn.Graph, spec: QuantSpec, rule: str, x: np.ndarray) -> None:
    network, fake = lowered(graph, spec, rule), fake_quantize(graph, spec, rule)
    for (name, expected), (found, codes) in zip(trace(network, x), fake.trace(x), strict=True):
        assert (name, codes.dtype) == (found, np.int8)
        np.testing.assert_array_equal(codes, expected, err_msg=name)
    np.testing.assert_array_equal(fake.codes(x), infer.run(network, x))
    np.testing.assert_array_equal(fake.codes(x), infer.Engine(network).run(x))


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=200)
@given(st.data())
def test_every_value_equals_the_integer_network(rule: str, data: st.DataObject) -> None:
    """Any network, any zero points, saturation and ties: the same codes everywhere."""
    graph, spec = data.draw(quantized_networks())
    _assert_same(graph, spec, rule, data.draw(inputs(graph)))


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=100)
@given(st.data())
def test_calibrated_networks_equal_the_integer_network(rule: str, data: st.DataObject) -> None:
    """The same with the scales that calibration chooses."""
    graph = data.draw(networks())
    x = data.draw(inputs(graph))
    weights = data.draw(st.sampled_from(["per_channel", "per_tensor"]))
    _assert_same(graph, calibrate(graph, [x], weights=weights), rule, x)


# The bias of fbgemm is not in the sum; qnnpack refuses the multiplier of 64.
@pytest.mark.parametrize("rule", sorted(RULES.keys() - {"fbgemm", "qnnpack"}))
@pytest.mark.parametrize(("last", "expected"), [(1, 0), (2, 64), (3, 127)])
def test_sums_beyond_float32_are_exact(rule: str, last: int, expected: int) -> None:
    """A sum of ``2**24 + 1`` less a bias of ``2**24`` is 1; in float32 it would be 0."""
    dense = nn.Dense(520, 1, rng=np.random.default_rng(0))
    dense.params["w"][:, 0] = [*[127] * 518, 7, 1]
    dense.params["b"][...] = -(2**24)
    graph = nn.Sequential((520,), [("dense", dense)])
    activations = {"input": QuantParams(1.0, -128), "dense": QuantParams(2.0**-6, 0)}
    spec = QuantSpec(activations, {"dense": (1.0,)}, "per_tensor", {})
    x = np.full((1, 520), 127, np.int8)  # 255 steps each: 255 * (518 * 127 + 7) = 2**24 - 1
    x[0, 519] = last - 128
    assert fake_quantize(graph, spec, rule).codes(x)[0, 0] == expected
    _assert_same(graph, spec, rule, x)


def test_float32_is_used_only_below_its_last_exact_integer() -> None:
    """Every integer up to 2**24 is a float32, the next one is not."""
    assert np.float32(2**24) == np.float32(2**24 + 1)
    assert exact_dtype(2**24 - 1) is np.float32
    assert exact_dtype(2**24 + 1) is np.float64


def test_the_batch_may_be_cut_anywhere() -> None:
    """More images than go through at once, one by one, and none."""
    rng = np.random.default_rng(0)
    graph = nn.Sequential(
        (28, 28, 1), [nn.Conv2d(1, 16, 3, rng=rng), nn.ReLU(), nn.GlobalAvgPool()]
    )
    x = rng.standard_normal((25, 28, 28, 1), dtype=np.float32)
    fake = fake_quantize(graph, calibrate(graph, [x]))
    codes = fake.codes(x)
    np.testing.assert_array_equal(
        codes, np.concatenate([fake.codes(x[i : i + 1]) for i in range(25)])
    )
    np.testing.assert_array_equal(codes, infer.run(fake.graph, x))
    assert fake.codes(x[:0]).shape == (0, 16)
    assert [len(value) for _, value in fake.trace(x[:0])] == [0, 0, 0]


@given(st.data())
def test_real_values_are_dequantized_codes(data: st.DataObject) -> None:
    """Calling it, and its values, give ``scale * (q - zero_point)`` in float32."""
    graph, spec = data.draw(quantized_networks())
    x = data.draw(inputs(graph))
    fake = fake_quantize(graph, spec)
    for (name, codes), (found, real) in zip(fake.trace(x), fake.values(x), strict=True):
        scale, zero_point = fake.graph.quantization(name)
        assert (name, real.dtype) == (found, np.float32)
        np.testing.assert_array_equal(
            real, (codes.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
        )
    np.testing.assert_array_equal(fake(x), dict(fake.values(x))[graph.output])


@given(st.data())
def test_codes_may_be_fed_directly(data: st.DataObject) -> None:
    """Quantized input, from any memory layout and read-only, gives the same result."""
    graph, spec = data.draw(quantized_networks())
    x = data.draw(inputs(graph))
    fake = fake_quantize(graph, spec)
    (_, codes), *_ = fake.trace(x)
    scattered = np.repeat(codes, 2, axis=-1)[..., ::2]
    scattered.flags.writeable = False
    np.testing.assert_array_equal(fake.codes(scattered), fake.codes(x))


def test_bad_inputs_are_refused() -> None:
    """Shape, dtype and finiteness, before anything is computed."""
    rng = np.random.default_rng(0)
    graph = nn.Sequential((3,), [nn.Dense(3, 2, rng=rng)])
    fake = fake_quantize(graph, calibrate(graph, [np.ones((1, 3), np.float32)]))
    with pytest.raises(ShapeError):
        fake(np.ones((1, 4), np.float32))
    with pytest.raises(DTypeError):
        fake(np.ones((1, 3)))
    with pytest.raises(NotFiniteError):
        fake(np.full((1, 3), np.nan, np.float32))
