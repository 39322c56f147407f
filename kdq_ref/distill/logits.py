"""What every distillation loss asks of its arguments."""

from __future__ import annotations

import numpy as np

from kdq_ref.checks import check_array
from kdq_ref.errors import ShapeError


def check_logits(student: np.ndarray, teacher: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as (B, C) arrays of one float dtype, B at least 1.

    Raises
    ------
    ShapeError, DTypeError
    """
    student = check_array("student", student, dtype=(np.float32, np.float64), ndim=2)
    teacher = check_array("teacher", teacher, dtype=student.dtype, shape=student.shape)
    if not student.size:
        raise ShapeError(
            f"logits of shape {student.shape} have no mean; pass at least one sample and class"
        )
    return student, teacher
