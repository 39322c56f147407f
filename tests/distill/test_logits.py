"""What every distillation loss refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kdq_ref import distill
from kdq_ref.errors import DTypeError, ShapeError

LOSSES: list[Callable[..., Any]] = [
    lambda s, t: distill.soft_target(s, t, temperature=2.0),
    distill.logit_matching,
    distill.soft_label_cross_entropy,
]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("student", "teacher", "error"),
    [
        (np.zeros((2, 3)), np.zeros((2, 4)), ShapeError),
        (np.zeros((2, 3)), np.zeros((1, 3)), ShapeError),
        (np.zeros(3), np.zeros(3), ShapeError),
        (np.zeros((0, 3)), np.zeros((0, 3)), ShapeError),
        (np.zeros((2, 0)), np.zeros((2, 0)), ShapeError),
        (np.zeros((2, 3), int), np.zeros((2, 3), int), DTypeError),
        (np.zeros((2, 3), np.float32), np.zeros((2, 3)), DTypeError),
    ],
)
def test_bad_logits(
    loss: Callable[..., Any], student: np.ndarray, teacher: np.ndarray, error: type[Exception]
) -> None:
    """Shapes that differ or are empty, and dtypes that are no floats or differ, are refused."""
    with pytest.raises(error):
        loss(student, teacher)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arguments_are_left_alone(loss: Callable[..., Any], dtype: type) -> None:
    """Read-only logits do, and the gradient has their dtype and its own memory."""
    student, teacher = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(dtype)
    student.flags.writeable = teacher.flags.writeable = False
    value, gradient = loss(student, teacher)
    assert isinstance(value, float)
    assert gradient.dtype == dtype
    gradient += 1
