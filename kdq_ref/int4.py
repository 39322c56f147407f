"""Integers of four bits, stored two to a byte.

The order is that of ONNX's ``INT4`` tensors [1]_: elements in C order, whatever the shape; the
first of two in the low four bits, the second in the high four; two's complement. The last byte of
an odd number of elements has zeros in its high four bits.

.. [1] ONNX, "4 bit integer types", https://onnx.ai/onnx/technical/int4.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdq_ref.checks import check_array, check_int
from kdq_ref.errors import DTypeError, RangeError

LOWEST, HIGHEST = -8, 7


def pack_int4(values: np.ndarray) -> np.ndarray:
    """Store ``values`` two to a byte.

    Parameters
    ----------
    values : int8 ndarray of any shape
        In [-8, 7].

    Returns
    -------
    (ceil(size / 2),) uint8 ndarray

    Raises
    ------
    DTypeError, RangeError
        The latter names the first value that does not fit.

    Examples
    --------
    >>> pack_int4(np.array([[1, -1], [7, -8], [2, 3]], np.int8)).tobytes().hex()
    'f18732'
    """
    values = check_array("values", values, dtype=np.int8)
    wrong = (values < LOWEST) | (values > HIGHEST)
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise RangeError(
            f"values must be in [{LOWEST}, {HIGHEST}] to fit four bits, but {wrong.sum()} do not, "
            f"the first at index {first} is {values[first]}"
        )
    nibbles = np.zeros(values.size + values.size % 2, np.uint8)
    nibbles[: values.size] = values.astype(np.uint8).ravel() & 0x0F
    return nibbles[::2] | nibbles[1::2] << 4


def unpack_int4(packed: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return the values that :func:`pack_int4` stored.

    Parameters
    ----------
    packed : (ceil(size / 2),) uint8 ndarray
        The high four bits of the last byte do not matter where ``size`` is odd.
    shape : sequence of int
        Of the values; ``size`` is its product.

    Returns
    -------
    int8 ndarray of that shape

    Raises
    ------
    DTypeError, RangeError, ShapeError
    """
    shape = _check_shape(shape)
    size = int(np.prod(shape, dtype=object))
    packed = check_array("packed", packed, dtype=np.uint8, shape=(-(-size // 2),))
    nibbles = np.stack([packed & 0x0F, packed >> 4], axis=1).ravel()[:size].view(np.int8)
    return ((nibbles ^ 8) - np.int8(8)).reshape(shape)


@dataclass(frozen=True, eq=False)
class Int4Array:
    """Weights in four bits each, as the operators take them in place of an int8 array.

    Attributes
    ----------
    packed : (ceil(size / 2),) uint8 ndarray
        As :func:`pack_int4` returns them.
    shape : tuple of int
    """

    packed: np.ndarray
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _check_shape(self.shape))
        size = int(np.prod(self.shape, dtype=object))
        packed = check_array("packed", self.packed, dtype=np.uint8, shape=(-(-size // 2),))
        object.__setattr__(self, "packed", packed)

    @classmethod
    def of(cls, values: np.ndarray) -> Int4Array:
        """Pack int8 ``values`` in [-8, 7]."""
        return cls(pack_int4(values), np.shape(values))

    def unpack(self) -> np.ndarray:
        """Return the values as an int8 array."""
        return unpack_int4(self.packed, self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that hold the values."""
        return self.packed.nbytes


def as_int8(weight: np.ndarray | Int4Array) -> np.ndarray:
    """Expand ``weight`` if it is stored in four bits; anything else is returned as it is."""
    return weight.unpack() if isinstance(weight, Int4Array) else weight


def _check_shape(shape: Sequence[int]) -> tuple[int, ...]:
    if isinstance(shape, str) or not isinstance(shape, Sequence):
        raise DTypeError(f"shape must be a tuple of integers, got {shape!r}")
    return tuple(check_int("size of an axis", size, 0) for size in shape)
