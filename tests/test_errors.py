"""The tree of errors is the one its docstring draws."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from kdq_ref import errors


def test_every_error_is_drawn_and_derives_from_the_base() -> None:
    """No class is missing from the picture."""
    classes = [
        c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__
    ]
    assert len(classes) > 10
    for cls in classes:
        assert issubclass(cls, errors.KdqError)
        assert cls.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (errors.ShapeError, ValueError),
        (errors.DTypeError, TypeError),
        (errors.AccumulatorOverflowError, OverflowError),
        (errors.ModelFileError, ValueError),
        (errors.KernelUnavailableError, RuntimeError),
        (errors.TrainingDivergedError, ArithmeticError),
    ],
)
def test_each_is_also_the_builtin_one_would_expect(cls: type, builtin: type) -> None:
    """``except ValueError`` goes on working for people who do not know the tree."""
    assert issubclass(cls, builtin)


def test_file_errors_carry_path_and_fault() -> None:
    """Both are in the message, and both survive a process boundary."""
    error = errors.DatasetError("some/file", "is empty")
    assert (error.path, error.fault, str(error)) == (
        Path("some/file"),
        "is empty",
        "some/file: is empty",
    )
    copy = type(error)(*error.__reduce__()[1])
    assert str(copy) == str(error)
