"""No function reads or writes past the end, or before the start, of any array it is given.

Run as a program, this file puts operands against pages that nobody may touch; one byte too far is
a crash. (``make asan`` finds the same for memory that the wrappers allocate.)
"""

from __future__ import annotations

import ctypes
import mmap
import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from kdq_ref import intref, kernels
from kdq_ref.int4 import Int4Array, pack_int4
from kdq_ref.rounding import RULES, Requant, Requant16x8, reduced_16x8

POSIX = sys.platform.startswith(("linux", "darwin"))
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65]


class Fences:
    """Copies arrays so that a forbidden page begins where they end, or ends where they begin."""

    def __init__(self, *, at_end: bool) -> None:
        self.at_end = at_end
        self._libc = ctypes.CDLL(None, use_errno=True)

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Return a copy next to a forbidden page."""
        page = mmap.PAGESIZE
        room = -(-max(1, array.nbytes) // page) * page
        memory = mmap.mmap(-1, room + 2 * page)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        offset = page + (room - array.nbytes if self.at_end else 0)
        copy = np.frombuffer(memory, array.dtype, array.size, offset).reshape(array.shape)
        copy[...] = array
        for fence in (start, start + page + room):
            if self._libc.mprotect(ctypes.c_void_p(fence), ctypes.c_size_t(page), 0) != 0:
                raise OSError(ctypes.get_errno(), "mprotect")
        return copy


def _requant(channels: int, fenced: Fences) -> Requant:
    constants = RULES["single_rounding"].constants(1.0, np.full(channels, 2.0**-9), 1.0)
    for name in ("multiplier", "exponent", "scale"):
        object.__setattr__(constants, name, fenced(getattr(constants, name)))
    return Requant(RULES["single_rounding"], constants, 3)


def _check(
    kind: str, *arrays: Any, isa: str | None = None, form: str = "", **keywords: Any
) -> None:
    chosen: dict[str, Any] = {"isa": isa, "form": form} if form else {"isa": isa}
    result = getattr(kernels, kind)(*arrays, **chosen, **keywords)
    np.testing.assert_array_equal(result, getattr(intref, kind)(*arrays, **keywords))


def _four_bits(codes: np.ndarray, fenced: Fences) -> Int4Array:
    return Int4Array(fenced(pack_int4(codes % 16 - 8)), codes.shape)


def _exercise(fenced: Fences, isa: str) -> None:
    """Every function on fenced operands of awkward sizes."""
    rng = np.random.default_rng(0)

    def codes(*shape: int) -> np.ndarray:
        return fenced(rng.integers(-127, 128, shape, np.int8))

    for n in SIZES:
        bias = fenced(rng.integers(-999, 999, n, np.int32))
        affine: dict[str, Any] = {"x_zero_point": -5, "requant": _requant(n, fenced)}
        one: dict[str, Any] = {"x_zero_point": 7, "requant": _requant(1, fenced)}
        _exercise_16x8(fenced, isa, n, rng)
        image, window = codes(2, 5, 4, n), {"kernel": (3, 2), "stride": (2, 1)}
        _check("gemm", codes(3, n), codes(n, 5), isa=isa)
        _check("gemm", codes(n, 9), codes(9, n), isa=isa)
        _check("dense", codes(2, 7), codes(7, n), bias, isa=isa, **affine)
        _check("conv2d", codes(2, 5, 4, 3), codes(3, 2, 3, n), bias, isa=isa, **affine)
        for form in ("", "nibbles") if isa == "avx2" else ("",):
            for rows in (1, 2, 4, 13):
                weight = _four_bits(codes(37, n), fenced)
                _check("dense", codes(rows, 37), weight, bias, isa=isa, form=form, **affine)
            weight = _four_bits(codes(3, 2, 3, n), fenced)
            _check("conv2d", codes(2, 5, 4, 3), weight, bias, isa=isa, form=form, **affine)
        _check("conv2d", codes(1, 6, 5, n), codes(1, 1, n, n), bias, isa=isa, **affine)
        pad: dict[str, Any] = {"padding": (1, 1, 1, 1)}
        same = {**pad, "dilation": (1, 2)}
        _check("conv2d", codes(1, 4, 5, 1), codes(3, 3, 1, n), bias, isa=isa, **same, **affine)
        _check("depthwise_conv2d", image, codes(3, 3, 1, n), bias, isa=isa, **pad, **affine)
        doubled = {**affine, "requant": _requant(2 * n, fenced)}
        biases = fenced(rng.integers(-999, 999, 2 * n, np.int32))
        _check("depthwise_conv2d", image, codes(2, 2, 1, 2 * n), biases, isa=isa, **doubled)
        _check("max_pool2d", image, isa=isa, padding=(1, 0, 0, 1), **window)
        _check("max_pool2d", image, isa=isa, kernel=(2, 2), stride=(2, 2), padding=(0, 0, 0, 0))
        _check("avg_pool2d", image, isa=isa, padding=(0, 2, 1, 0), **window, **one)
        _check("global_avg_pool", image, isa=isa, **one)
        addends = {"a_zero_point": 1, "b_zero_point": 2, "a_multiplier": 3, "b_multiplier": 4}
        _check("add", codes(n), codes(n), isa=isa, **addends, requant=_requant(1, fenced))
        _check("lookup", codes(n), codes(256), isa=isa)
        _check("argmax", codes(3, n), isa=isa)
        table = fenced(intref.softmax_table(0.05))
        probabilities = fenced(np.zeros((3, n), np.int8))
        for logits in (codes(3, n), codes(2, 100 + n)):
            _check("softmax", logits, table, isa=isa)
        logits = codes(3, n)
        kernels.softmax(logits, table, out=probabilities, isa=isa)
        np.testing.assert_array_equal(probabilities, intref.softmax(logits, table))
        real = fenced(rng.standard_normal(n, np.float32))
        _check("quantize", real, isa=isa, scale=0.02, zero_point=1)
        _check("dequantize", codes(n), isa=isa, scale=0.02, zero_point=1)
        for rows in (1, 2, 3):
            acc = fenced(rng.integers(-(2**20), 2**20, (rows, n), np.int32))
            _check("requantize", acc, _requant(n, fenced), isa=isa)


def _exercise_16x8(fenced: Fences, isa: str, n: int, rng: np.random.Generator) -> None:
    """Columns, rows and a K that is longer than kernels sum in int32 without widening."""

    def matrix(dtype: type, *shape: int) -> np.ndarray:
        return fenced(rng.integers(-128, 128, shape, dtype))

    constants = reduced_16x8.constants(1.0, np.full(n, 2.0**-9), 1.0)
    for name in ("multiplier", "exponent"):
        object.__setattr__(constants, name, fenced(getattr(constants, name)))
    requant = Requant16x8(constants)
    bias = fenced(rng.integers(-999, 999, n))
    _check("gemm_16x8", matrix(np.int16, n, 5), matrix(np.int8, 5, 3), isa=isa)
    for k in (n, 505 + n):
        x, weight = matrix(np.int16, 2, k), matrix(np.int8, k, n)
        _check("dense_16x8", x, weight, bias, isa=isa, requant=requant)
    for rows in (1, 2, 3):
        acc = fenced(rng.integers(-(2**20), 2**20, (rows, n)))
        _check("requantize_16x8", acc, requant, isa=isa)


def _exercise_plan(fenced: Fences, isa: str) -> None:
    """A network whose input, output and arena are exactly as large as they must be."""
    from strategies.plans import residual_network

    net = residual_network(0)
    plan = net.plan(len(net.ops), isa=isa, max_tile=3)
    for batch, dtype in ((1, np.int8), (3, np.float32), (4, np.float32)):
        x = net.images(batch, dtype)
        out = fenced(np.zeros((batch, *plan.output_shape), np.int8))
        plan.run(fenced(x), out, fenced(np.zeros(plan.arena_bytes_for(batch), np.uint8)))
        np.testing.assert_array_equal(out, net.reference(x, len(net.ops)))


def _program(what: str) -> None:
    """What the child process does."""
    if what == "overrun":
        array = Fences(at_end=True)(np.zeros(10, np.int8))
        ctypes.string_at(array.ctypes.data, array.nbytes + 1)
    for at_end in (True, False):
        for isa in ("ref", *kernels.available_isas()):
            _exercise(Fences(at_end=at_end), isa)
            _exercise_plan(Fences(at_end=at_end), isa)
    print("survived")


def _child(what: str) -> subprocess.CompletedProcess[str]:
    tests = str(__file__).rsplit("kernels", 1)[0]
    source = (
        f"import sys, runpy; sys.path.append({tests!r}); "
        f"runpy.run_path({str(__file__)!r})['_program']({what!r})"
    )
    return subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False
    )


pytestmark = [
    pytest.mark.skipif(not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"),
    pytest.mark.skipif(not POSIX, reason="needs mmap and mprotect"),
]


def test_a_fence_stops_an_overrun() -> None:
    """The instrument works: reading one byte past a fenced array kills the process."""
    result = _child("overrun")
    fatal = (-signal.SIGSEGV, -signal.SIGBUS)
    assert result.returncode in fatal or "AddressSanitizer" in result.stderr


def test_no_function_leaves_its_arrays() -> None:
    """Every function, kernel and awkward size, fenced behind and in front; and a whole plan."""
    result = _child("every function")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "survived\n"
