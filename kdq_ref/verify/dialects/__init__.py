"""What each runtime computes, in NumPy: one family a module, imported when it is asked for."""

from __future__ import annotations

from kdq_ref.verify.dialect import Dialect
from kdq_ref.verify.registry import load

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
    dialect: Dialect = load("dialect", name, __name__, _MODULES, "DIALECTS")
    return dialect
