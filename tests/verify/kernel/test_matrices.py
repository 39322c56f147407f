"""Calls of products and requantization are what they say."""

from __future__ import annotations

import numpy as np

from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.evidence import accumulators
from kdq_ref.verify.kernel.matrices import gemm, gemm_drawn, requantize, sweep, sweep_bias
from kdq_ref.verify.kernel.values import RandomChooser

RULE = RULES["single_rounding"]


def _chooser(seed: int = 0) -> RandomChooser:
    return RandomChooser(np.random.default_rng([seed]))


def test_a_product_has_neither_bias_nor_zero_point() -> None:
    """Its sizes are those asked for."""
    problem = gemm(_chooser(), get_abi("gemm_u8s8s32"), None, (2, 3, 4), "", gaps=(1, 0, 5))
    assert problem.inputs.keys() == {"a", "b"}
    assert problem.inputs["a"].dtype == np.uint8
    assert (problem.sizes["lda"], problem.sizes["ldc"]) == (5, 8)
    assert problem.zero_point == 0
    assert problem.scaling is None


def test_dense_layers_come_with_and_without_bias() -> None:
    """And with one multiplier for all channels, or one each."""
    drawn = [gemm_drawn(_chooser(n), get_abi("gemm_s8s8s8"), RULE) for n in range(60)]
    assert {"bias" in problem.inputs for problem in drawn} == {True, False}
    counts = {len(p.scaling.real) == 1 for p in drawn if p.scaling and p.channels > 1}
    assert counts == {True, False}


def test_accumulators_with_bias_fit_int32() -> None:
    """So do those without."""
    for seed in range(20):
        problem = requantize(_chooser(seed), get_abi("requantize"), RULE, (5, 7), "")
        assert (np.abs(accumulators(problem)) < 2**31).all()


def test_a_sweep_begins_with_the_smallest_accumulators() -> None:
    """Where the multiplier leaves room for them."""
    real = np.full(3, 0.25)
    problem = sweep(np.random.default_rng([1]), get_abi("requantize"), RULE, real, 64)
    assert set(range(-8, 8)) <= set(problem.data[:, 0].tolist())
    dense = sweep(np.random.default_rng([1]), get_abi("gemm_s8s8s8"), RULE, np.full(9, 0.25), 256)
    assert set(range(-128, 128)) == set(accumulators(dense)[:, 0].tolist())


def test_a_swept_bias_leaves_room_for_every_code() -> None:
    """``|acc * M| < 2**31`` for 256 accumulators around it, and zeros come first."""
    real = 2.0 ** np.arange(-20.0, 21.0)
    bias = sweep_bias(np.random.default_rng([1]), real).astype(np.int64)
    assert (bias[:8] == 0).all()
    assert ((np.abs(bias) + 255) * np.maximum(real, 1) < 2.0**31).all()
