"""The runtimes: each builds its own format from a network and answers for itself.

A module is imported when its oracle is asked for, and a runtime when an oracle runs: this package
needs none of them.
"""

from __future__ import annotations

from kdq_ref.verify.oracle import Oracle
from kdq_ref.verify.registry import load

_MODULES = {
    "kdq": "kdq",
    "onnxruntime": "onnxruntime",
    "onnxruntime-exact": "onnxruntime",
    "onnx-reference": "onnx_reference",
    "pytorch-fbgemm": "pytorch",
    "pytorch-onednn": "pytorch",
    "pytorch-qnnpack": "pytorch",
    "litert": "litert",
    "litert-builtin": "litert",
    "litert-reference": "litert",
    "tflite-micro": "tflite_micro",
}

NAMES = tuple(_MODULES)
"""Every runtime that a dialect may name."""


def get_oracle(name: str) -> Oracle:
    """Return the oracle of that name; whether it is installed, its ``version()`` says.

    Raises
    ------
    InvalidArgumentError
        For an unknown name; the message lists the known ones.
    """
    oracle: Oracle = load("runtime", name, __name__, _MODULES, "ORACLES")
    return oracle
