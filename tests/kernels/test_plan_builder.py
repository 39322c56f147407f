"""The builder checks every operator as it is added and leaves out what is not needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kdq_ref import intref, kernels
from kdq_ref.errors import (
    DTypeError,
    GraphError,
    KernelUnavailableError,
    RangeError,
    ShapeError,
)
from kdq_ref.int4 import Int4Array
from kdq_ref.rounding import Requant, single_rounding

pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)

REQUANT = Requant(single_rounding, single_rounding.constants(1.0, 2.0**-8, 1.0), 0)
HALVE: dict[str, Any] = {"kernel": (2, 2), "stride": (2, 2)}


def _builder(*shape: int) -> kernels.PlanBuilder:
    return kernels.PlanBuilder(input_shape=shape, input_scale=0.5, input_zero_point=3)


def _outcome(plan: kernels.Plan, x: np.ndarray) -> np.ndarray:
    out = np.empty((len(x), *plan.output_shape), np.int8)
    plan.run(x, out, np.empty(plan.arena_bytes, np.uint8))
    return out


def test_the_input_may_be_the_output() -> None:
    """No operator at all: codes are copied, real numbers quantized."""
    plan = _builder(2, 3).build(output=0)
    codes = np.arange(-3, 3).astype(np.int8).reshape(1, 2, 3)
    np.testing.assert_array_equal(_outcome(plan, codes), codes)
    real = (codes.astype(np.float32) - 3) * np.float32(0.5)
    np.testing.assert_array_equal(_outcome(plan, real), codes)


def test_flatten_only_renames() -> None:
    """No operation, no bytes: the value has another shape."""
    builder = _builder(2, 2, 3)
    plan = builder.build(output=builder.flatten(0))
    assert plan.layers == ()
    assert plan.output_shape == (12,)
    x = np.arange(24).astype(np.int8).reshape(2, 2, 2, 3)
    np.testing.assert_array_equal(_outcome(plan, x), x.reshape(2, 12))


def test_what_the_output_does_not_need_is_left_out() -> None:
    """Operators beside and behind the output cost nothing."""
    builder = _builder(4, 4, 1)
    needed = builder.max_pool2d(0, **HALVE)
    builder.lookup(0, np.zeros(256, np.int8))
    builder.max_pool2d(needed, **HALVE)
    assert [layer.kind for layer in builder.build(output=needed).layers] == ["max_pool2d"]


def test_one_builder_makes_many_plans() -> None:
    """Every slot, with every kernel."""
    builder = _builder(4, 4, 1)
    slots = [0, builder.max_pool2d(0, **HALVE)]
    slots.append(builder.max_pool2d(slots[-1], **HALVE))
    x = np.arange(16).astype(np.int8).reshape(1, 4, 4, 1)
    for isa in ("ref", *kernels.available_isas()):
        plans = [builder.build(output=slot, isa=isa) for slot in slots]
        assert [plan.isa for plan in plans] == [isa] * 3
        assert [int(_outcome(plan, x).max()) for plan in plans] == [15, 15, 15]


def test_weights_may_be_stored_in_four_bits() -> None:
    """A convolution and a dense layer, as the specification computes them."""
    rng = np.random.default_rng(4)
    x = rng.integers(-128, 128, (3, 5, 5, 3), np.int8)
    kernel = Int4Array.of(rng.integers(-8, 8, (3, 3, 3, 5), np.int8))
    weight = Int4Array.of(rng.integers(-8, 8, (45, 7), np.int8))
    code: dict[str, Any] = {"x_zero_point": 3, "requant": REQUANT}
    builder = _builder(5, 5, 3)
    slot = builder.flatten(builder.conv2d(0, kernel, np.zeros(5, np.int32), **code))
    plan = builder.build(output=builder.dense(slot, weight, np.ones(7, np.int32), **code))
    hidden = intref.conv2d(x, kernel, np.zeros(5, np.int32), **code).reshape(3, 45)
    wanted = intref.dense(hidden, weight, np.ones(7, np.int32), **code)
    np.testing.assert_array_equal(_outcome(plan, x), wanted)


def test_slots_must_exist() -> None:
    """Operators can only read what was made before them."""
    builder = _builder(4, 4, 1)
    for call in (
        lambda: builder.max_pool2d(1, **HALVE),
        lambda: builder.flatten(-1),
        lambda: builder.build(output=7),
    ):
        with pytest.raises(GraphError, match="slot"):
            call()


def test_operands_are_checked_when_added() -> None:
    """The same errors as the specification's."""
    builder = _builder(4, 4, 2)
    weight, bias = np.zeros((3, 3, 2, 5), np.int8), np.zeros(5, np.int32)
    code: dict[str, Any] = {"x_zero_point": 0, "requant": REQUANT}
    with pytest.raises(ShapeError, match="flatten first"):
        builder.dense(0, np.zeros((2, 2), np.int8), bias, **code)
    with pytest.raises(DTypeError, match="weight"):
        builder.conv2d(0, weight.astype(np.float32), bias, **code)
    with pytest.raises(RangeError, match="x_zero_point"):
        builder.conv2d(0, weight, bias, x_zero_point=200, requant=REQUANT)
    with pytest.raises(ShapeError, match="equal shapes"):
        builder.add(
            0,
            builder.flatten(0),
            a_zero_point=0,
            b_zero_point=0,
            a_multiplier=1,
            b_multiplier=1,
            requant=REQUANT,
        )


def test_the_network_s_own_numbers_are_checked() -> None:
    """Input scale, zero point and shape; the tile; the kernel."""
    with pytest.raises(RangeError, match="scale"):
        kernels.PlanBuilder(input_shape=(2,), input_scale=0.0, input_zero_point=0)
    with pytest.raises(RangeError, match="zero_point"):
        kernels.PlanBuilder(input_shape=(2,), input_scale=1.0, input_zero_point=-129)
    with pytest.raises(RangeError, match="input_shape"):
        _builder(-1)
    with pytest.raises(RangeError, match="max_tile"):
        _builder(2).build(output=0, max_tile=0)
    with pytest.raises(KernelUnavailableError, match="avx9"):
        _builder(2).build(output=0, isa="avx9")
