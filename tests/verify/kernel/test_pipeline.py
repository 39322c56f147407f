"""The kernel in steps is the specification, until a step is replaced."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref import intref
from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel.abi import ABIS, CONV2D, get_abi
from kdq_ref.verify.kernel.function import _keywords, _positional
from kdq_ref.verify.kernel.grid import drawn, random_choices
from kdq_ref.verify.kernel.pipeline import accumulate, compute, load
from kdq_ref.verify.kernel.problem import GAP, gaps, matrix

SPECIFIED = {
    "gemm_s8s8s32": intref.gemm,
    "gemm_s8s8s8": intref.dense,
    "requantize": intref.requantize,
    "conv2d_s8": intref.conv2d,
    "depthwise_s8": intref.depthwise_conv2d,
}


@pytest.mark.parametrize("name", SPECIFIED)
@given(st.integers(0, 2**31), st.sampled_from(sorted(RULES)))
def test_it_returns_what_intref_returns(name: str, number: int, rule: str) -> None:
    """Every calling convention that intref has, every rule, gaps untouched."""
    abi = get_abi(name)
    problem = drawn(random_choices(5, number), abi, RULES[rule] if abi.requantizes else None)
    memory = gaps(problem.output_size, np.dtype(abi.output))
    result = compute(problem, memory)
    arguments = _positional(problem, dict(problem.inputs))
    wanted = SPECIFIED[name](*arguments, **_keywords(problem))
    view = matrix(result, (problem.rows, problem.channels), problem.output_stride)
    np.testing.assert_array_equal(view, wanted.reshape(view.shape))
    view[...] = memory[0] if memory.size else 0
    assert set(result.view(np.uint8)) <= {GAP}


@given(st.integers(0, 2**31))
def test_unsigned_codes_are_signed_ones_128_higher(number: int) -> None:
    """gemm_u8s8u8 is gemm_s8s8s8 with codes and zero points moved."""
    abi = get_abi("gemm_u8s8u8")
    problem = drawn(random_choices(6, number), abi, RULES["double_rounding"])
    scaling = problem.scaling
    assert scaling is not None
    a = problem.inputs["a"].astype(np.int64)
    acc = (a - problem.zero_point) @ problem.inputs["b"].astype(np.int64)
    y = scaling.apply(acc, problem.bias, scaling.rule) + scaling.zero_point
    memory = gaps(problem.output_size, np.dtype(np.uint8))
    view = matrix(compute(problem, memory), acc.shape, problem.output_stride)
    np.testing.assert_array_equal(view, np.clip(y, scaling.qmin, scaling.qmax))


def test_a_step_can_be_replaced() -> None:
    """The rest stays."""
    abi = get_abi("gemm_s8s8s32")
    problem = next(
        p for p in (drawn(random_choices(7, n), abi, None) for n in range(99)) if p.output_size
    )
    memory = gaps(problem.output_size, np.dtype(np.int32))
    doubled = compute(problem, memory, {"accumulate": lambda o: 2 * accumulate(o)})
    shape = problem.rows, problem.channels
    view = matrix(doubled, shape, problem.output_stride)
    right = matrix(compute(problem, memory), shape, problem.output_stride)
    np.testing.assert_array_equal(view, 2 * right)


def test_padding_is_known() -> None:
    """A convolution's padded elements hold the zero point and are marked."""
    for abi in ABIS.values():
        if abi.family is not CONV2D:
            continue
        for number in range(20):
            problem = drawn(random_choices(8, number), abi, RULES["single_rounding"])
            operands = load(problem)
            assert operands is not None
            assert operands.padded is not None
            assert (operands.a[operands.padded] == problem.zero_point).all()
