"""The whole verification: right kernels pass, time limits hold, refusals are told."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from kdq_ref import intref
from kdq_ref.errors import RangeError
from kdq_ref.rounding import RULES
from kdq_ref.verify import verify_callable, verify_library
from kdq_ref.verify.kernel import evidence
from kdq_ref.verify.kernel.abi import ABIS
from kdq_ref.verify.kernel.examination import long_problems
from kdq_ref.verify.kernel.grid import rule_for


@pytest.mark.parametrize("rule", RULES)
def test_a_plain_dense_layer_is_right_under_its_rule(right: Path, rule: str) -> None:
    """Nine kernels, nine rules."""
    verdict = verify_library(right, f"dense_{rule}", abi="gemm_s8s8s8", rule=rule, seconds=0)
    assert verdict.passed, verdict.lines()


def test_a_dense_layer_is_wrong_under_another_rule(
    right: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge can tell the nine apart: here two that differ on ties only."""
    monkeypatch.setattr(evidence, "SWEEPS", 2)
    verdict = verify_library(
        right, "dense_onnx_spec", abi="gemm_s8s8s8", rule="float64_half_away", seconds=0
    )
    assert verdict.findings[0].cause == "rule_onnx_spec"


def test_a_product_in_tiles_is_right(right: Path) -> None:
    """With scratch memory; all stages run, and are counted."""
    verdict = verify_library(right, "tiled", abi="gemm_s8s8s32", seconds=1.5)
    assert verdict.passed, verdict.lines()
    assert {"boundary grid", "threads"} <= verdict.stages.keys()
    assert sum(verdict.stages.values()) == verdict.calls


def test_what_a_kernel_refuses_is_told(right: Path) -> None:
    """A right kernel that does not take long sums."""
    verdict = verify_library(right, "vectorised", abi="gemm_s8s8s32", seconds=0)
    assert verdict.passed, verdict.lines()
    assert verdict.refused == 8 + 4  # of the grid, and before threads
    assert verdict.lines()[-1].startswith("refused: 12 calls")


def test_the_example_and_a_convolution_are_right(example: Path, layers: Path) -> None:
    """What a user copies passes."""
    verdict = verify_library(
        example, "example_gemm", abi="gemm_s8s8s8", rule="double_rounding", seconds=0
    )
    assert verdict.passed, verdict.lines()
    for abi in ("conv2d_s8", "depthwise_s8"):
        verdict = verify_library(
            layers, "right_convolution", abi=abi, rule="double_rounding", seconds=0
        )
        assert verdict.passed, verdict.lines()


def test_what_only_a_search_finds_is_found() -> None:
    """A fault far from every boundary: sums of exactly 13 products of 11 columns."""

    def wrong(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return intref.gemm(a, b) + np.int32(a.shape[1] == 13 and b.shape[1] > 8)

    verdict = verify_callable(wrong, abi="gemm_s8s8s32", seconds=60)
    assert not verdict.passed
    assert verdict.stages["drawn calls"] > 0
    assert verdict.findings[0].problem.sizes["k"] == 13


def test_a_slow_kernel_does_not_hang() -> None:
    """Calls 32 times as long would take longer than the limit: they are not made."""

    def slow(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        time.sleep(2e-7 * a.size * b.shape[1])
        return intref.gemm(a, b)

    verdict = verify_callable(slow, abi="gemm_s8s8s32", seconds=0, limit=1.0)
    assert verdict.passed, verdict.lines()
    assert verdict.stages["threads"] == 4 + 20 * 4


@pytest.mark.parametrize("longer", [1, 32])
@pytest.mark.parametrize("name", ABIS)
def test_calls_for_threads_are_long_and_differ(name: str, longer: int) -> None:
    """Two of them, of at least 700 outputs and 50,000 steps."""
    abi = ABIS[name]
    for problem in (pair := long_problems(abi, rule_for(abi, None), 0, longer)):
        assert problem.output_size >= 700
        steps = problem.output_size * problem.sizes.get("k", 72)
        assert steps >= 50_000 * longer
        assert sum(array.size for array in problem.inputs.values()) <= 500_000
    assert pair[0].data.tobytes() != pair[1].data.tobytes()


def test_impossible_limits_are_refused() -> None:
    """Before anything is run."""
    for wrong in ({"seconds": -1.0}, {"limit": 0.0}, {"seed": -1}):
        with pytest.raises(RangeError):
            verify_callable(intref.gemm, abi="gemm_s8s8s32", **wrong)  # type: ignore[arg-type]
