"""Problems: arrays as they lie in memory, constants as a kernel gets them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.problem import GAP, Problem, Scaling, gaps, matrix, span


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 3))
def test_a_strided_matrix_is_found_again_in_its_memory(rows: int, columns: int, gap: int) -> None:
    """The memory is exactly as long as the matrix, and gaps keep their byte."""
    stride = columns + gap
    memory = gaps(span((rows, columns), stride), np.dtype(np.int8))
    matrix(memory, (rows, columns), stride)[...] = 1
    assert int((memory == 1).sum()) == rows * columns
    assert int((memory == GAP).sum()) == (max(rows - 1, 0) * gap if columns else 0)
    if rows and columns:
        assert memory[0] == memory[-1] == 1


def test_inputs_lie_as_sizes_say() -> None:
    """Row stride 5 of a (2, 3) matrix: 8 elements."""
    a = np.arange(6, dtype=np.int8).reshape(2, 3)
    sizes = {"m": 2, "n": 1, "k": 3, "lda": 5, "ldb": 1, "ldc": 4}
    problem = Problem(get_abi("gemm_s8s8s32"), "", sizes, {"a": a, "b": np.ones((3, 1), np.int8)})
    assert problem.flat("a").tolist() == [0, 1, 2, GAP, GAP, 3, 4, 5]
    assert problem.flat("b").tolist() == [1, 1, 1]
    assert (problem.rows, problem.channels, problem.output_stride) == (2, 1, 4)
    assert problem.output_size == 5
    assert problem.bias.tolist() == [0]
    assert "m = 2" in problem.describe()


@pytest.mark.parametrize("name", RULES)
def test_scaling_is_the_rule_itself(name: str) -> None:
    """From the constants that a kernel gets, a rule returns what it returns from its own."""
    rule = RULES[name]
    rng = np.random.default_rng([1])
    real = 2.0 ** rng.uniform(-12, -1, 7)
    scaling = Scaling(rule, real, 0, -128, 127)
    acc = rng.integers(-(2**17), 2**17, (50, 7))
    zeros = np.zeros(7, np.int64)
    own = rule.apply(acc, rule.constants(1.0, real, 1.0))
    np.testing.assert_array_equal(scaling.apply(acc, zeros, rule), own)


def test_another_rule_gets_constants_of_its_own_where_it_must() -> None:
    """rndnu takes 24 bits of mantissa: those of single_rounding are not its."""
    real = np.array([0.3])
    scaling = Scaling(RULES["single_rounding"], real, 0, -128, 127)
    acc = np.arange(-(2**20), 2**20, 7)[:, None]
    wanted = RULES["rndnu"].apply(acc, RULES["rndnu"].constants(1.0, real, 1.0))
    got = scaling.apply(acc, np.zeros(1, np.int64), RULES["rndnu"])
    np.testing.assert_array_equal(got, wanted)
