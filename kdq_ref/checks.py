"""Argument checks that raise the typed errors of :mod:`kdq_ref.errors`."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from kdq_ref.errors import DTypeError, NotFiniteError, RangeError, ShapeError


def check_array(
    name: str,
    value: Any,
    *,
    dtype: Any = None,
    ndim: int | None = None,
    shape: Sequence[int | None] | None = None,
) -> np.ndarray:
    """Return ``value`` as an array after checking dtype, rank and shape.

    Parameters
    ----------
    name : str
        How the message calls the argument.
    value : array_like
        Never copied when it is an array already.
    dtype : dtype or tuple of dtypes, optional
        The exact dtype (or one of several). No casting is done.
    ndim : int, optional
    shape : sequence of int or None, optional
        ``None`` stands for any size along that axis.

    Raises
    ------
    DTypeError, ShapeError
    """
    try:
        array = np.asarray(value)
    except ValueError as fault:  # nested lists of different lengths
        raise ShapeError(f"{name} is not an array: {fault}") from fault
    if dtype is not None:
        allowed = [np.dtype(d) for d in (dtype if isinstance(dtype, tuple) else (dtype,))]
        if array.dtype not in allowed:
            wanted = " or ".join(d.name for d in allowed)
            raise DTypeError(
                f"{name} must have dtype {wanted}, got {array.dtype}; "
                f"convert it explicitly, nothing is cast silently"
            )
    if ndim is not None and array.ndim != ndim:
        raise ShapeError(f"{name} must have {ndim} axes, got shape {array.shape}")
    if shape is not None:
        fits = array.ndim == len(shape) and all(
            want is None or want == got for want, got in zip(shape, array.shape, strict=True)
        )
        if not fits:
            wanted = "(" + ", ".join("any" if s is None else str(s) for s in shape) + ")"
            raise ShapeError(f"{name} must have shape {wanted}, got {array.shape}")
    return array


def check_finite(name: str, array: np.ndarray) -> np.ndarray:
    """Return ``array`` if it holds no NaN and no infinity, else raise NotFiniteError."""
    # Two reductions instead of np.isfinite: no temporary. NaN is in no range.
    with np.errstate(invalid="ignore"):
        finite = not array.size or (array.min() > -np.inf and array.max() < np.inf)
    if not finite:
        bad = np.argwhere(~np.isfinite(array))
        first = tuple(int(i) for i in bad[0])
        raise NotFiniteError(
            f"{name} must be finite: {len(bad)} element(s) are NaN or infinite, "
            f"the first at index {first} is {array[first]}"
        )
    return array


def check_positive_int(name: str, value: Any) -> int:
    """Return ``value`` as an int of at least 1."""
    return check_int(name, value, 1, None)


def check_int(name: str, value: Any, low: int | None = None, high: int | None = None) -> int:
    """Return ``value`` as an int inside ``[low, high]`` (either end may be open)."""
    if isinstance(value, bool | np.bool_):
        raise DTypeError(f"{name} must be an integer, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise DTypeError(f"{name} must be an integer, got {value!r}") from None
    check_in_range(name, number, low, high)
    return number


def check_in_range(name: str, value: Any, low: Any = None, high: Any = None) -> Any:
    """Return ``value`` if ``low <= value <= high`` (either end may be open); NaN never is."""
    try:
        inside = (low is None or value >= low) and (high is None or value <= high)
    except TypeError:
        raise DTypeError(f"{name} must be a number, got {value!r}") from None
    if not inside:
        left = "-inf" if low is None else low
        right = "inf" if high is None else high
        raise RangeError(f"{name} must be in [{left}, {right}], got {value!r}")
    return value


def check_labels(name: str, labels: Any, classes: int) -> np.ndarray:
    """Return ``labels`` : (B,) integers in ``[0, classes)`` as int64."""
    array = check_array(name, labels, ndim=1)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{name} must be integers, got dtype {array.dtype.name}")
    array = array.astype(np.int64, copy=False)
    if array.size and (array.min() < 0 or array.max() >= classes):
        bad = int(np.flatnonzero((array < 0) | (array >= classes))[0])
        raise RangeError(
            f"{name} must be in [0, {classes - 1}], but element {bad} is {int(array[bad])}"
        )
    return array
