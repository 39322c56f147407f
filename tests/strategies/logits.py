"""Logits of students and teachers, and gradients by central differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

TEMPERATURES = st.floats(0.5, 20)
# From "knows nothing" to "softmax underflows in float64".
_SPREADS = st.sampled_from([0.0, 1e-3, 1.0, 30.0, 2000.0])

Loss = Callable[[np.ndarray], tuple[float, np.ndarray]]


@st.composite
def logit_pairs(draw: st.DrawFn, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Student and teacher logits (B, C), each of its own spread, both far off zero at times."""
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 6)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shift = draw(st.sampled_from([0.0, -500.0, 1000.0]))
    student, teacher = (
        (rng.standard_normal(shape) * draw(_SPREADS) + shift).astype(dtype) for _ in range(2)
    )
    return student, teacher


def assert_gradient(loss: Loss, student: np.ndarray) -> None:
    """Check a loss's gradient in float64 by central differences, logit by logit."""
    step = 1e-4
    value, gradient = loss(student)
    assert gradient.shape == student.shape
    assert gradient.dtype == student.dtype
    numeric = np.empty_like(student)
    for index in np.ndindex(student.shape):
        sides = []
        for sign in (1, -1):
            moved = student.copy()
            moved[index] += sign * step
            sides.append(loss(moved)[0])
        numeric[index] = (sides[0] - sides[1]) / (2 * step)
    # Rounding of the two values, over the step; of the logits themselves, times the slope.
    noise = 1e-6 + 1e-11 * abs(value) + 1e-8 * float(np.abs(gradient).max())
    np.testing.assert_allclose(numeric, gradient, rtol=0, atol=noise)
