"""Python callables: our own kernels are right under every rule; faults have words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kdq_ref import intref, kernels
from kdq_ref.errors import InvalidArgumentError
from kdq_ref.verify import verify_callable
from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.function import Function

OWN = {
    "gemm_s8s8s8": "dense",
    "requantize": "requantize",
    "conv2d_s8": "conv2d",
    "depthwise_s8": "depthwise_conv2d",
}
needs_core = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)


@needs_core
@pytest.mark.parametrize(
    ("abi", "rule"),
    list(zip(OWN, ["fbgemm", "rndnu", "single_rounding", "onnx_spec"], strict=True)),
)
def test_our_own_kernels_are_right(abi: str, rule: str) -> None:
    """The C core before the same judge as anybody's."""
    verdict = verify_callable(getattr(kernels, OWN[abi]), abi=abi, rule=rule, seconds=0)
    assert verdict.passed, verdict.lines()


def test_the_specification_is_right() -> None:
    """A product in NumPy; with and without a C core."""
    verdict = verify_callable(intref.gemm, abi="gemm_s8s8s32", seconds=0)
    assert verdict.passed, verdict.lines()


def _first_words(function: Any) -> str:
    verdict = verify_callable(function, abi="gemm_s8s8s32", seconds=0)
    assert not verdict.passed
    return verdict.findings[0].words


def test_what_is_no_result_is_said() -> None:
    """An exception, another type, another shape, another dtype."""
    assert _first_words(lambda a, b: 1 / 0) == "raises ZeroDivisionError: division by zero"
    words = _first_words(lambda a, b: np.zeros((1, 1, 1)))
    assert words.startswith("returns an array of float64, shape (1, 1, 1), not an int32 array of")
    words = _first_words(lambda a, b: intref.gemm(a, b) + np.int64(0))
    assert words.startswith("returns an array of int64, shape ")
    assert _first_words(lambda a, b: [[1]]).startswith("returns list, not")
    words = _first_words(lambda a, b: None)
    assert words == "returns None, not an int32 array of shape (1, 1)"


def test_a_wrong_result_is_diagnosed() -> None:
    """As it is in C."""

    def wrapping(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a.astype(np.int16) @ b.astype(np.int16)).astype(np.int32)

    assert "int16 accumulators overflow: they wrap" in _first_words(wrapping)


def test_refusing_everything_is_no_pass() -> None:
    """NotImplemented is KDQ_ABI_UNSUPPORTED."""
    verdict = verify_callable(lambda a, b: NotImplemented, abi="gemm_s8s8s32", seconds=0)
    assert not verdict.passed
    assert not verdict.findings
    assert verdict.refused == verdict.calls > 400
    assert verdict.lines()[0].startswith("not verified")


def test_refused_calls_are_not_made_at_once() -> None:
    """They count once, whatever else is computed."""

    def small(a: np.ndarray, b: np.ndarray) -> object:
        return NotImplemented if a.shape[1] > 64 else intref.gemm(a, b)

    verdict = verify_callable(small, abi="gemm_s8s8s32", seconds=0)
    assert verdict.passed
    assert 0 < verdict.refused < verdict.calls
    assert verdict.stages["threads"] == 8


def test_what_cannot_be_a_kernel() -> None:
    """Something that cannot be called; an abi without a form in Python."""
    with pytest.raises(InvalidArgumentError, match="cannot be called"):
        Function(3, get_abi("requantize"))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="for libraries only"):
        Function(print, get_abi("gemm_u8s8u8"))
