"""Functions of SLEEF, beside what PyTorch makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import installed

from kdq_ref.verify.dialects import sleef
from kdq_ref.verify.dialects.pytorch_activations import sigmoid_vectors


def _arguments() -> np.ndarray:
    rng = np.random.default_rng(0)
    every_size = 2.0 ** rng.uniform(-30, 6.5, 10_000) * rng.choice([-1, 1], 10_000)
    return np.concatenate([rng.uniform(-88, 88, 10_048), every_size, [0.0] * 16]).astype(np.float32)


def test_they_are_the_functions() -> None:
    """To a unit in the last place; tanh is odd, and 1 from 8.66 on."""
    x = _arguments()
    real = x[np.abs(x) < 87].astype(np.float64)
    np.testing.assert_allclose(sleef.expf(np.float32(real)), np.exp(real), rtol=2.0**-23)
    np.testing.assert_allclose(sleef.tanhf(x), np.tanh(x.astype(np.float64)), rtol=2.0**-23)
    np.testing.assert_array_equal(sleef.tanhf(-x), -sleef.tanhf(x))
    assert sleef.tanhf(np.array([9.0, -100.0, np.inf], np.float32)).tolist() == [1, -1, 1]
    assert sleef.expf(np.array([-104.0, 0.0, 100.0], np.float32)).tolist() == [0, 1, np.inf]


@pytest.mark.parametrize(
    ("x", "steps", "nearest"),
    [
        ("0x1.6bc738p-3", "0x1.68p+4", "0x1.680002p+4"),
        ("0x1.7c4fe6p-3", "0x1.77fffep+4", "0x1.78p+4"),
    ],
)
def test_tanh_is_not_correctly_rounded(x: str, steps: str, nearest: str) -> None:
    """Measured: 128ths of 1, beside the nearest float32; one of the two is on a half."""
    real = np.array([float.fromhex(x)], np.float32)
    assert sleef.tanhf(real).item() * 128 == float.fromhex(steps)
    assert sleef.tanhf(-real).item() * 128 == -float.fromhex(steps)
    correct = np.tanh(real.astype(np.float64)).astype(np.float32)
    assert correct.item() * 128 == float.fromhex(nearest)


def test_exponentials_equal_the_runtime_in_every_bit() -> None:
    """``torch.sigmoid`` of float32 takes the exponential from SLEEF, and adds and divides once."""
    installed("pytorch-fbgemm")
    import torch

    x = _arguments()
    answer = torch.sigmoid(torch.from_numpy(x)).numpy()
    if torch.backends.cpu.get_cpu_capability() != "AVX2":
        pytest.skip(f"PyTorch uses {torch.backends.cpu.get_cpu_capability()} here, not AVX2")
    np.testing.assert_array_equal(sigmoid_vectors(x), answer)
