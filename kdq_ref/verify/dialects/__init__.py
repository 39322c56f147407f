"""What each runtime computes, in NumPy: one family a module, imported when it is asked for."""

from __future__ import annotations

import importlib

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.verify.dialect import Dialect

_MODULES = {
    "kdq": "kdq",
    "onnxruntime": "onnxruntime",
    "onnxruntime-s8": "onnxruntime",
    "onnxruntime-avx2-default": "onnxruntime",
    "onnx-spec": "onnx",
    "onnx-reference-evaluator": "onnx",
    "pytorch-fbgemm": "pytorch",
    "pytorch-onednn": "pytorch",
    "pytorch-qnnpack": "pytorch",
    "litert": "litert",
    "litert-builtin": "litert",
    "litert-reference": "litert",
    "tflite-micro": "tflite_micro",
    "cmsis-nn": "cmsis_nn",
}

NAMES = tuple(_MODULES)
"""Every dialect."""


def get_dialect(name: str) -> Dialect:
    """Return the dialect of that name.

    Raises
    ------
    InvalidArgumentError
        For an unknown name; the message lists the known ones.
    """
    if name not in _MODULES:
        raise InvalidArgumentError(f"unknown dialect {name!r}; choose one of {', '.join(NAMES)}")
    module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    dialect: Dialect = module.DIALECTS[name]
    return dialect
