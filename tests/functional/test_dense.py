"""The affine map and its gradients."""

from __future__ import annotations

import numpy as np
from gradients import assert_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from strategies.layers import generators

from kdq_ref import functional


@settings(max_examples=30)
@given(generators, st.integers(0, 4), st.integers(1, 6), st.integers(1, 6))
def test_definition_and_gradients(rng, batch, n_in, n_out):
    """``x @ w + b``; dx, dw and db for a random upstream gradient, empty batches included."""
    x, w = rng.standard_normal((batch, n_in)), rng.standard_normal((n_in, n_out))
    b, dy = rng.standard_normal(n_out), rng.standard_normal((batch, n_out))
    y, cache = functional.dense_forward(x, w, b)
    assert_allclose(y, np.einsum("bi,io->bo", x, w) + b, atol=1e-12)
    dx, dw, db = functional.dense_backward(dy, cache)

    def loss() -> float:
        return float(np.sum(functional.dense_forward(x, w, b)[0] * dy))

    assert_gradients(loss, {"x": x, "w": w, "b": b}, {"x": dx, "w": dw, "b": db})


def test_what_is_not_asked_for_is_not_computed():
    """No bias: no db. No input gradient: no dx. And float32 stays float32."""
    y, cache = functional.dense_forward(np.ones((2, 3), np.float32), np.ones((3, 1), np.float32))
    dx, dw, db = functional.dense_backward(y, cache, input_gradient=False)
    assert dx is None
    assert db is None
    assert y.dtype == dw.dtype == np.float32
