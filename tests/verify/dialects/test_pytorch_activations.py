"""Activation functions of PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import installed

from kdq_ref.verify.dialects.pytorch_activations import (
    FUNCTIONS,
    VECTOR_FUNCTIONS,
    exp_vectors,
    hard_swish,
)

_X = np.linspace(-20, 20, 20_032).astype(np.float32)


@pytest.mark.parametrize("functions", [FUNCTIONS, VECTOR_FUNCTIONS])
def test_they_are_what_they_are_called(functions: dict) -> None:
    """Within a few float32 of the function itself."""
    x = _X.astype(np.float64)
    for name, exact in (("sigmoid", 1 / (1 + np.exp(-x))), ("tanh", np.tanh(x))):
        np.testing.assert_allclose(functions[name](_X), exact, rtol=3e-7)
    np.testing.assert_allclose(hard_swish(_X), x * np.clip(x + 3, 0, 6) / 6, rtol=3e-7, atol=1e-7)


def test_exponentials_equal_the_runtime_in_every_bit() -> None:
    """SLEEF's, as torch.exp of a contiguous tensor calls it on x86 with AVX2."""
    installed("pytorch-fbgemm")
    import torch

    answer = torch.exp(torch.from_numpy(_X)).numpy()
    got = exp_vectors(_X)
    assert np.abs(got.view(np.int32) - answer.view(np.int32)).max() <= 1
