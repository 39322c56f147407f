"""Networks of one operator and inputs for them, aimed at where runtimes differ.

Every draw follows from a seed, the operator and the sample's number. Besides random numbers there
are extremes, zero points at the ends, multipliers from where everything vanishes to where
everything saturates, and ties: scales that are small odd multiples of powers of two, and
multipliers solved so that an accumulator lands on a half, or beside it by one float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.verify.samples import affine, elementwise, tables, windows
from kdq_ref.verify.samples.drawing import STYLES, Sample

_PURPOSE = 0xD1A1EC7

_DRAW: dict[str, Callable[[np.random.Generator, str, str, int], Sample]] = {
    "quantize": tables.quantize,
    "dequantize": tables.table,
    "dense": affine.affine,
    "conv2d": affine.affine,
    "depthwise_conv2d": affine.affine,
    "max_pool2d": windows.pool,
    "avg_pool2d": windows.pool,
    "global_avg_pool": windows.pool,
    "add": elementwise.binary,
    "mul": elementwise.binary,
    "concat": elementwise.concat,
    "relu": tables.table,
    "relu6": tables.table,
    "clip": tables.table,
    "sigmoid": tables.table,
    "tanh": tables.table,
    "hard_swish": tables.table,
    "softmax": tables.softmax,
}

OPERATORS = tuple(_DRAW)
"""What samples are made of."""


def generate(operator: str, *, seed: int, outputs: int) -> Iterator[Sample]:
    """Yield samples of one operator without end; the styles take turns.

    Parameters
    ----------
    operator : str
        One of :data:`OPERATORS`.
    seed : int
    outputs : int
        About how many outputs a sample should have at most.

    Yields
    ------
    Sample
        Stored as int8 (float32 where the operator's input or output is real).

    Raises
    ------
    InvalidArgumentError
        For an unknown operator.
    """
    if operator not in _DRAW:
        raise InvalidArgumentError(
            f"no samples of operator {operator!r}; choose one of {', '.join(OPERATORS)}"
        )
    number = 0
    while True:
        rng = np.random.default_rng([seed, _PURPOSE, OPERATORS.index(operator), number])
        # Every other one is smaller: kernels have tails, and their own paths for a few rows.
        size = outputs if rng.random() < 0.5 else outputs >> int(rng.integers(1, 12))
        yield _DRAW[operator](rng, operator, STYLES[number % len(STYLES)], max(1, size))
        number += 1


__all__ = ["OPERATORS", "STYLES", "Sample", "generate"]
