"""Functions of the C library, beside the one that is here."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable

import numpy as np
import pytest

from kdq_ref.verify.dialects.libm import expf, tanhf


def _arguments() -> np.ndarray:
    rng = np.random.default_rng(0)
    spread = rng.uniform(-30, 30, 10_000)
    small = rng.uniform(-1, 1, 10_000)
    every_size = 2.0 ** rng.uniform(-40, 6, 10_000) * rng.choice([-1, 1], 10_000)
    ends = [0.0, 1.0, -1.0, 0.5 * np.log(2), 22.0, 21.999998, 2.0**-26, -(2.0**-28)]
    return np.concatenate([spread, small, every_size, ends]).astype(np.float32)


def _library(name: str) -> Callable[[float], float]:
    family, version = platform.libc_ver()
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if family != "glibc" or not (2, 28) <= numbers <= (2, 40):
        pytest.skip(f"the C library here is {family or 'not glibc'} {version}, not glibc 2.28-2.40")
    function = getattr(ctypes.CDLL("libm.so.6"), name)
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    return function  # type: ignore[no-any-return]


@pytest.mark.parametrize(("ours", "name"), [(expf, "expf"), (tanhf, "tanhf")])
def test_every_bit_is_the_librarys(ours: Callable[[np.ndarray], np.ndarray], name: str) -> None:
    """Of numbers of every size, and at the ends of the cases."""
    theirs = _library(name)
    x = _arguments()
    expected = np.array([theirs(float(value)) for value in x], np.float32)
    np.testing.assert_array_equal(ours(x), expected)


def test_they_are_the_functions() -> None:
    """To a unit in the last place or two, whatever the C library is; odd, and 1 far out."""
    x = _arguments()
    real = x.astype(np.float64)
    np.testing.assert_allclose(expf(x), np.exp(real), rtol=2.0**-23)
    np.testing.assert_allclose(tanhf(x), np.tanh(real), rtol=2.0**-22)
    np.testing.assert_array_equal(tanhf(-x), -tanhf(x))
    assert tanhf(np.array([100.0, np.inf], np.float32)).tolist() == [1, 1]
    assert expf(np.array([-200.0, 200.0, 0.0], np.float32)).tolist() == [0, np.inf, 1]
