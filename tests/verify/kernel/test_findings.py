"""Wrong kernels, in C: each is caught, and the verdict names what is wrong."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import settings

from kdq_ref.verify import verify_library
from kdq_ref.verify.kernel import evidence

PRODUCTS = {
    "minus_128": "-128 is handled as -127",
    "int16_overflow": "int16 accumulators overflow",
    "float32": "sums in float32: inexact beyond 2^24",
    "k_tail": "wrong for K not a multiple of 4",
    "stride_ignored": "the row stride of A (lda) is ignored",
    "over_read": "reads 3 bytes past A",
    "over_write": "writes 28 bytes past C",
    "last_row": "the last row is not written",
    "row_tail": "rows beyond a multiple of 4 are not written",
    "column_tail": "columns beyond a multiple of 8 are not written",
    "scratch": "uses uninitialised scratch memory",
    "stack": "uses an uninitialised variable on the stack",
    "static_state": "keeps state between calls",
    "thread_race": "is not thread-safe",
    "crash": "crashes (SIGSEGV), and not at the bounds of an array",
    "hang": "does not return",
    "exit": "ends the process: exit(0)",
    "changes_input": "changes its input A",
    "adds_to_output": "it adds to what the output held before the call",
    "k_0": "nothing is written when K is 0",
    "return": "returns 37",
    "refuse_late": "returns KDQ_ABI_UNSUPPORTED after it has written",
    "column_byte": "wrong for N",
}
LAYERS = {
    "ties_up": ("requantize", "your requantization is `double_rounding` with ties up"),
    "one_rounding": ("requantize", "your requantization is `single_rounding`"),
    "no_rounding_term": ("requantize", "the rounding term is missing"),
    "truncation": ("requantize", "truncates towards zero"),
    "channel_off_by_one": ("requantize", "channel index off by one"),
    "zero_point_sign": ("gemm_s8s8s8", "the input's zero point has the wrong sign"),
    "bias_after_shift": ("gemm_s8s8s8", "the bias is added after the shift"),
    "clamp_first": ("gemm_s8s8s8", "the clamp comes before the zero point"),
    "no_saturation": ("gemm_s8s8s8", "there is no clamp: results wrap around"),
    "output_zero_point_sign": ("gemm_s8s8s8", "the output's zero point has the wrong sign"),
    "bias_and_rounding": ("gemm_s8s8s8", "with ties up; and the bias is subtracted"),
    "kernel_flipped": ("conv2d_s8", "the window is flipped"),
    "padding": ("conv2d_s8", "padding counts as code 0"),
    "dilation": ("depthwise_s8", "dilation_h and dilation_w are ignored"),
}
# Close relatives of others: they take their turn in the thorough profile only.
THOROUGH = settings().max_examples >= 1000
RELATIVES = {
    *("row_tail", "column_tail", "stack", "k_0", "return", "float32", "adds_to_output"),
    *("no_rounding_term", "truncation", "output_zero_point_sign", "no_saturation", "dilation"),
}


def _chosen(names: Iterable[str]) -> list[str]:
    return [name for name in names if THOROUGH or name not in RELATIVES]


@pytest.fixture(autouse=True)
def _few_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """262,144 outputs behind a verdict on rounding, not 4,194,304: this is one of many tests."""
    monkeypatch.setattr(evidence, "SWEEPS", 4)


def _first_words(library: Path, name: str, abi: str, rule: str | None = None) -> str:
    start = time.monotonic()
    verdict = verify_library(
        library, f"wrong_{name}", abi=abi, rule=rule, seconds=0, limit=1.0 if name == "hang" else 60
    )
    # Measured: 1 to 4 s. A minute is what was promised for a machine of two cores.
    assert time.monotonic() - start < 600
    assert not verdict.passed
    return verdict.findings[0].words


@pytest.mark.parametrize("name", _chosen(PRODUCTS))
def test_a_wrong_product_is_named(products: Path, name: str) -> None:
    """Faults of memory, sums, stores, state and threads."""
    assert PRODUCTS[name] in _first_words(products, name, "gemm_s8s8s32")


def test_saturating_pairs_are_named_with_the_weights_that_are_safe(products: Path) -> None:
    """What vpmaddubsw does to unsigned codes."""
    words = _first_words(products, "pair_saturation", "gemm_u8s8s32")
    assert words == "pair sums saturate: exact for weights in [-64, 64]"


@pytest.mark.parametrize("name", _chosen(LAYERS))
def test_a_wrong_layer_is_named(layers: Path, name: str) -> None:
    """Faults of rounding, constants, zero points, clamps and windows."""
    abi, words = LAYERS[name]
    assert words in _first_words(layers, name, abi, "double_rounding")


@pytest.mark.parametrize("name", ["lowest_exponent", "no_multiplier"])
def test_the_ends_of_the_multipliers_are_tried(layers: Path, name: str) -> None:
    """An exponent of -31; a multiplier of 0."""
    _first_words(layers, name, "requantize", "double_rounding")


@pytest.mark.parametrize(
    ("name", "rule", "words"),
    [
        ("float_half_away", "float32_rne", "is in float32, half added and truncated"),
        ("zero_point_first", "float32_rne", "adds the zero point before rounding to even"),
        ("short_multiplier", "onnx_spec", "with a multiplier that was rounded to float32"),
    ],
)
def test_float_rounding_of_another_kind_is_named(
    layers: Path, name: str, rule: str, words: str
) -> None:
    """roundf is not rint; ties are even or odd with the zero point; 24 bits are not 53."""
    assert words in _first_words(layers, name, "requantize", rule)


def test_a_corrupted_heap_is_a_finding(products: Path) -> None:
    """glibc says so in the child; elsewhere it may crash later, or not at all."""
    verdict = verify_library(products, "wrong_heap", abi="gemm_s8s8s32", seconds=0)
    if verdict.passed:
        pytest.skip("this C library does not notice what is written past an allocation")
    assert verdict.findings[0].cause in ("heap_corruption", "crash", "abort")


def test_an_unaligned_load_is_named(products: Path) -> None:
    """A load that wants 16 bytes aligned; x86 only."""
    if b"wrong_alignment" not in products.read_bytes():
        pytest.skip("no aligned loads without SSE2")
    assert _first_words(products, "alignment", "gemm_s8s8s32").startswith("needs A to be aligned")
