"""Models of wrong sums, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.pipeline import Operands
from kdq_ref.verify.kernel.sum_defects import PAIRS_SATURATE, sum_defects


def _sums(words: str, a: list[int], b: list[int], zero_point: int = 0, dtype: str = "") -> int:
    operands = Operands(
        np.array(a, np.int64)[None, None], np.array(b, np.int64)[None, :, None], zero_point
    )
    abi = get_abi("gemm_u8s8s32" if dtype == "uint8" else "gemm_s8s8s32")
    found = [d for d in sum_defects() if words in d.words and d.applies(abi)]
    return int(found[-1 if dtype == "int8" else 0].steps["accumulate"](operands)[0, 0])


@pytest.mark.parametrize(
    ("b", "wanted"),
    [([127, 127], 2**15 - 1), ([64, 64], 255 * 128), ([-128, -128], -(2**15)), ([127], 255 * 127)],
)
def test_pairs_of_unsigned_codes_saturate(b: list[int], wanted: int) -> None:
    """255 * 127 * 2 does not fit int16; 255 * 64 * 2 does; a product alone always fits."""
    assert _sums("pair sums", [255] * len(b), b, dtype="uint8") == wanted


def test_signed_codes_are_moved_for_saturating_pairs() -> None:
    """127 becomes 255, and what that adds is subtracted again: 32767 - 128 * 254."""
    assert _sums("pair sums", [127, 127], [127, 127], dtype="int8") == 2**15 - 1 - 128 * 254
    assert _sums("pair sums", [-128, 5], [127, 127], dtype="int8") == -128 * 127 + 5 * 127


def test_narrow_accumulators() -> None:
    """Three times 127 * 127 leaves int16."""
    a = b = [127, 127, 127]
    assert _sums("they wrap", a, b) == 3 * 127 * 127 - 2**16
    assert _sums("they saturate", a, b) == 2**15 - 1
    # Saturation happens on the way, not only at the end.
    assert _sums("they saturate", [*a, -127], [*b, 127]) == 2**15 - 1 - 127 * 127
    assert _sums("narrowed to int16 at the end", [*a, -127], [*b, 127]) == 2 * 127 * 127


def test_float32_sums_are_exact_up_to_24_bits() -> None:
    """2**24 + 1 is no float32."""
    assert _sums("float32", [127] * 1000, [127] * 1000) == 127 * 127 * 1000
    large = [127] * 1041
    assert _sums("float32", large, large) != 127 * 127 * 1041


def test_codes_centred_in_8_bits() -> None:
    """127 - -128 is 255: it wraps to -1, or saturates at 127."""
    assert _sums("and wraps around", [127], [3], -128) == -3
    assert _sums("and saturates", [127], [3], -128) == 381


def test_nothing_sums_in_requantization() -> None:
    """No model of sums applies to it; saturating pairs of signed codes only to signed codes."""
    assert not any(d.applies(get_abi("requantize")) for d in sum_defects())
    pairs = [d for d in sum_defects() if d.name == PAIRS_SATURATE]
    assert [d.applies(get_abi("gemm_u8s8s32")) for d in pairs] == [True, False]
