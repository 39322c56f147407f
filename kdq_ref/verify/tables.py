"""Activation functions that runtimes and our networks both name, and their tables of codes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kdq_ref import functional, intref
from kdq_ref.verify.network import Encoding

FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: functional.relu_forward(x)[0],
    "relu6": lambda x: functional.relu6_forward(x)[0],
    "sigmoid": lambda x: functional.sigmoid_forward(x)[0],
    "tanh": lambda x: functional.tanh_forward(x)[0],
    "hard_swish": lambda x: functional.hard_swish_forward(x)[0],
}
"""By the operator's name in networks; float64 to float64."""


def table(
    function: Callable[[np.ndarray], np.ndarray], source: Encoding, output: Encoding
) -> np.ndarray:
    """Codes of a function at every code of its input, as lowering makes them : (256,) int8."""
    return intref.lookup_table(
        function,
        x_scale=source.scale,
        x_zero_point=source.zero_point,
        scale=output.scale,
        zero_point=output.zero_point,
    )
