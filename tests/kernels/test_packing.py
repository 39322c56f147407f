"""Panels look as csrc/README.md draws them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.integer import EDGES, codes, generators, zero_points

from kdq_ref import kernels
from kdq_ref.kernels.buffers import window_struct
from kdq_ref.kernels.dispatch import kernel_for
from kdq_ref.kernels.packing import NIBBLES_FROM, fitting_form, fold_bias, pack_weights

pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)


ALIGN = 64


def _panels(
    weight: np.ndarray, segments: int, nr: int, unit: int, flat: bool, dtype: type
) -> np.ndarray:
    """The drawing, in NumPy: pad to whole panels and units, then order the axes."""
    k, n = weight.shape
    depth = k // segments
    padded_k, padded_n = -(-depth // unit) * unit, -(-n // nr) * nr
    padded = np.zeros((segments, padded_k, padded_n), dtype)
    padded[:, :depth, :n] = weight.reshape(segments, depth, n)
    run = max(1, padded_k) if flat else unit
    runs = padded.reshape(segments * padded_k // run, run, padded_n // nr, nr)
    return runs.transpose(2, 0, 3, 1).ravel()  # panel, run of k, column, element


@pytest.mark.parametrize(
    ("isa", "form", "nr", "unit", "flat", "dtype"),
    [
        ("scalar", "compact", 4, 8, True, np.int16),
        ("ref", "wide", 5, 3, False, np.int8),
        ("avx2", "compact", 16, 2, False, np.int8),
        ("avx2", "wide", 16, 2, False, np.int16),
    ],
)
@given(
    st.sampled_from(EDGES),
    st.sampled_from(EDGES),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 3]),
    st.data(),
)
def test_panels_are_as_drawn(
    isa: str,
    form: str,
    nr: int,
    unit: int,
    flat: bool,
    dtype: type,
    k: int,
    n: int,
    groups: int,
    segments: int,
    data: st.DataObject,
) -> None:
    """Starting values, then panels: flat or interleaved, widened or not, group after group."""
    if isa not in ("ref", *kernels.available_isas()):
        pytest.skip(f"{isa} does not run here")
    weight = data.draw(codes((segments * k, groups * n), -127))
    bias = np.arange(groups * n, dtype=np.int32)
    packed = pack_weights(
        kernel_for(isa), weight, bias, groups=groups, segments=segments, form=form
    )
    starts = -(-n // nr) * nr
    for g in range(groups):
        columns = slice(g * n, (g + 1) * n)
        data_of_group = packed.data[g]
        np.testing.assert_array_equal(data_of_group[: n * 4].view(np.int32), bias[columns])
        assert packed.data[g].nbytes % ALIGN == 0  # or the next group would be misaligned
        panels = data_of_group[-(-starts * 4 // ALIGN) * ALIGN :].view(dtype)
        wanted = _panels(weight[:, columns], segments, nr, unit, flat, dtype)
        np.testing.assert_array_equal(panels[: wanted.size], wanted)
        assert not panels[wanted.size :].any()
    assert packed.nbytes == packed.data.nbytes


@pytest.mark.skipif("avx2" not in kernels.available_isas(), reason="avx2 does not run here")
@given(st.sampled_from(EDGES), st.sampled_from(EDGES), st.sampled_from([1, 3]), generators())
def test_panels_of_nibbles_are_as_drawn(
    k: int, n: int, segments: int, rng: np.random.Generator
) -> None:
    """32 weights in the low halves of 32 bytes, the next 32 in the high halves; half the memory."""
    weight = rng.integers(-8, 8, (segments * k, n), np.int8)
    pairs, nibbles = (
        pack_weights(kernel_for("avx2"), weight, segments=segments, form=form).data[0]
        for form in ("pairs", "nibbles")
    )
    wanted = _panels(weight, segments, 16, 4, False, np.int8)
    panels = -(-n // 16)
    before = -(-panels * 17 * 4 // ALIGN) * ALIGN  # starting values, and a depth for each panel
    held = nibbles[before:][: wanted.size // 2].reshape(-1, 32)
    np.testing.assert_array_equal(pairs[before:][: wanted.size].view(np.int8), wanted)
    np.testing.assert_array_equal(np.hstack([held & 15, held >> 4]).ravel(), wanted.view("u1") & 15)
    np.testing.assert_array_equal(nibbles[:before], pairs[:before])


@pytest.mark.skipif("avx2" not in kernels.available_isas(), reason="avx2 does not run here")
@pytest.mark.parametrize(
    ("rows", "largest", "form"),
    [
        (NIBBLES_FROM // 1024, 7, "nibbles"),
        (NIBBLES_FROM // 1024 - 1, 7, "pairs"),
        (NIBBLES_FROM // 1024, 8, "pairs"),
        (NIBBLES_FROM // 1024, 65, "compact"),
    ],
)
def test_the_form_follows_from_the_weights(rows: int, largest: int, form: str) -> None:
    """Four bits each and more than caches hold; or small enough for pair sums; or neither."""
    weight = np.zeros((rows, 1024), np.int8)
    weight[:2, 1000] = largest
    window = window_struct((1, 1, rows), (1, 1, 1024))
    assert fitting_form(kernel_for("avx2"), window, weight, default="compact") == form


@given(st.sampled_from(EDGES), st.sampled_from(EDGES), zero_points(), generators(), st.data())
def test_the_zero_point_is_folded_modulo_2_to_the_32(
    k: int, n: int, zero_point: int, rng: np.random.Generator, data: st.DataObject
) -> None:
    """A folded bias may wrap; adding the products wraps it back."""
    weight = data.draw(codes((k, n), -127))
    bias = rng.integers(-(2**31), 2**31, n).astype(np.int32)
    exact = bias.astype(np.int64) - zero_point * weight.astype(np.int64).sum(axis=0)
    np.testing.assert_array_equal(
        fold_bias(weight, bias, zero_point), exact.astype(np.uint32).view(np.int32)
    )
