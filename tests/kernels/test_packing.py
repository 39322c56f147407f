"""Panels look as csrc/README.md draws them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.integer import EDGES, codes, generators, zero_points

from kdq_ref import kernels
from kdq_ref.kernels.dispatch import kernel_for
from kdq_ref.kernels.packing import fold_bias, pack_weights

pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)


def _panels(weight: np.ndarray, nr: int, unit: int, flat: bool, dtype: type) -> np.ndarray:
    """The drawing, in NumPy: pad to whole panels and units, then order the axes."""
    k, n = weight.shape
    padded_k, padded_n = -(-k // unit) * unit, -(-n // nr) * nr
    padded = np.zeros((padded_k, padded_n), dtype)
    padded[:k, :n] = weight
    run = max(1, padded_k) if flat else unit
    runs = padded.reshape(padded_k // run, run, padded_n // nr, nr)
    return runs.transpose(2, 0, 3, 1).ravel()  # panel, run of k, column, element


@pytest.mark.parametrize(
    ("isa", "nr", "unit", "flat", "dtype"),
    [("scalar", 4, 8, True, np.int16), ("ref", 5, 3, False, np.int8)],
)
@given(st.sampled_from(EDGES), st.sampled_from(EDGES), st.sampled_from([1, 2]), st.data())
def test_panels_are_as_drawn(
    isa: str, nr: int, unit: int, flat: bool, dtype: type, k: int, n: int, groups: int, data
) -> None:
    """Flat or interleaved, widened or not, zeros past the end, one group after the other."""
    weight = data.draw(codes((k, groups * n), -127))
    packed = pack_weights(
        kernel_for(isa), weight, np.zeros(groups * n, np.int32), x_zero_point=0, groups=groups
    )
    wanted = [_panels(part, nr, unit, flat, dtype) for part in np.split(weight, groups, axis=1)]
    np.testing.assert_array_equal(packed.panels.view(dtype), np.concatenate(wanted))
    assert packed.nbytes == packed.panels.nbytes + packed.bias.nbytes


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
