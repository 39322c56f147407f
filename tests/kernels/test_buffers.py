"""Arrays become pointers without a copy where C can walk them; struct fields land in place."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.rules import near

from kdq_ref import kernels
from kdq_ref.errors import DTypeError, InvalidArgumentError, RangeError
from kdq_ref.kernels import buffers
from kdq_ref.kernels.core import ffi
from kdq_ref.rounding import RULES, Requant

pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)


def test_only_what_c_cannot_walk_is_copied() -> None:
    """Contiguous aligned arrays pass through, also read-only ones; the others are copied."""
    x = np.arange(12, dtype=np.int32).reshape(3, 4)
    x.flags.writeable = False
    assert buffers.contiguous(x) is x
    misaligned = np.zeros(9, np.uint8)[1:].view(np.int32)
    for view in (x.T, x[:, ::2], misaligned):
        copy = buffers.contiguous(view)
        assert copy.flags.c_contiguous
        assert copy.flags.aligned
        np.testing.assert_array_equal(copy, view)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.float32])
def test_a_pointer_points_at_the_array(dtype: type) -> None:
    """Element by element, also of an empty or read-only array."""
    x = np.array([3, 1, 2], dtype)
    x.flags.writeable = False
    assert list(buffers.pointer(x)) == [3, 1, 2]
    assert len(buffers.pointer(x[:0])) == 0


def test_scratch_is_aligned_like_malloc() -> None:
    """kdq.h asks for 16 bytes."""
    for size in (0, 1, 1000):
        assert int(ffi.cast("uintptr_t", buffers.scratch(size))) % 16 == 0


@pytest.mark.parametrize("rule", sorted(RULES))
def test_requant_struct_holds_the_requant(rule: str) -> None:
    """Rule, clamp, zero point, and one constant per channel or one for all."""
    for weight_scales in ([0.5], [0.5, 0.25, 0.75]):
        constants = near(RULES[rule], np.array(weight_scales), np.random.default_rng(0))
        keep: list[object] = []
        struct = buffers.requant_struct(Requant(RULES[rule], constants, -3, -100, 99), keep)
        assert (struct.rule, struct.zero_point) == (RULES[rule].c_id, -3)
        assert (struct.qmin, struct.qmax) == (-100, 99)
        assert struct.channel_step == (len(weight_scales) > 1)
        for name in vars(constants):
            values = ffi.unpack(getattr(struct, name), len(weight_scales))
            assert values == getattr(constants, name).tolist()


def test_window_struct_refuses_what_c_cannot_hold() -> None:
    """Sizes are int32 in C."""
    window = buffers.window_struct(
        (5, 6, 7), (8, 9, 10), (1, 2), (3, 4), (11, 12, 13, 14), (15, 16), 17
    )
    assert (window.in_h, window.in_w, window.in_c) == (5, 6, 7)
    assert (window.out_h, window.out_w, window.out_c) == (8, 9, 10)
    assert (window.kernel_h, window.kernel_w) == (1, 2)
    assert (window.stride_h, window.stride_w) == (3, 4)
    assert (window.pad_top, window.pad_left) == (11, 13)
    assert (window.dilation_h, window.dilation_w, window.groups) == (15, 16, 17)
    with pytest.raises(RangeError, match="window size"):
        buffers.window_struct((1, 1, 1), (1, 1, 1), stride=(2**31, 1))


def test_what_c_writes_to_is_an_array_of_its_own() -> None:
    """A list, another dtype, a strided or a read-only array would lose the results."""
    codes = np.dtype(np.int8)
    x = np.zeros((2, 4), np.int8)
    buffers.check_writable("out", x, codes)
    frozen = x.copy()
    frozen.flags.writeable = False
    for bad in (x.T, x[:, ::2], frozen):
        with pytest.raises(InvalidArgumentError, match="out must be a writeable"):
            buffers.check_writable("out", bad, codes)
    for wrong in (x.astype(np.uint8), [0, 0]):
        with pytest.raises(DTypeError, match="int8"):
            buffers.check_writable("out", wrong, codes)
