"""CMSIS-NN under TensorFlow Lite Micro, built as it comes: rounding twice.

There is no package of it for this kind of machine, so no oracle: this dialect follows the source.
It was compared by hand, once, with CMSIS-NN's portable C (its commit 99f736a, July 2026) compiled
by gcc for x86-64: no difference over 10,000,000 outputs each of dense, conv2d, depthwise_conv2d,
avg_pool2d, max_pool2d, add, mul and softmax in int8, nor over 7,000,000 of dense (per tensor),
conv2d and depthwise_conv2d in int16. The loops for DSP and Helium instructions were read, and never
run. What CMSIS-NN has no kernel for is TensorFlow Lite Micro's own.
"""

from __future__ import annotations

from kdq_ref.verify.dialect import Dialect
from kdq_ref.verify.dialects.tflite_affine import with_int16_refused
from kdq_ref.verify.dialects.tflite_micro import DIALECTS as _MICRO
from kdq_ref.verify.dialects.tflite_micro import MICRO

_COMPARED = ("dense", "conv2d", "depthwise_conv2d", "max_pool2d", "avg_pool2d", "add", "mul")
"""And softmax: what CMSIS-NN computes in place of TensorFlow Lite Micro."""

_BY_HAND = "NOT RUN by any test; by hand equal to CMSIS-NN's portable C, 10,000,000 outputs"
_NOT_ITS_OWN = "NOT RUN with CMSIS-NN, which has no kernel: TensorFlow Lite Micro's"


def _note(operator: str, note: str) -> str:
    own = operator == "softmax" or operator in _COMPARED
    return f"{note} ({_BY_HAND if own else _NOT_ITS_OWN})"


DIALECTS = {
    "cmsis-nn": Dialect(
        name="cmsis-nn",
        runtime="",
        storage="int8",
        summary="tflite-micro bit for bit, as far as the source says: double_rounding; there is no "
        "runtime here to ask. A build with CMSIS_NN_USE_SINGLE_ROUNDING is another dialect",
        operators=with_int16_refused(MICRO),
        notes={
            operator: _note(operator, note)
            for operator, note in _MICRO["tflite-micro"].notes.items()
        },
    )
}
