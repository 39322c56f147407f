"""The C core behind the signatures of :mod:`kdq_ref.intref`, plus ``isa=``.

Same arguments, same errors, same bits, faster. ``isa`` names a kernel (see
:func:`available_isas`); by default the environment variable ``KDQ_ISA`` decides, else the best this
CPU has. ``isa="ref"`` runs plain loops through the same control code, for comparison.

This package is the only one that touches the compiled module. Without it (no C compiler when the
package was installed) everything here still imports, :func:`core_available` is false, and every
call raises :class:`kdq_ref.errors.KernelUnavailableError`.
"""

from kdq_ref.kernels.affine import conv2d, dense, depthwise_conv2d, gemm
from kdq_ref.kernels.bound import BoundPlan, BoundShare
from kdq_ref.kernels.core import core_available, core_problem
from kdq_ref.kernels.crew import Crew
from kdq_ref.kernels.dispatch import IsaReport, available_isas, isa_report
from kdq_ref.kernels.elementwise import add, argmax, flatten, lookup
from kdq_ref.kernels.int16x8 import dense_16x8, gemm_16x8, requantize_16x8
from kdq_ref.kernels.plan import Plan, PlanLayer
from kdq_ref.kernels.plan_builder import PlanBuilder
from kdq_ref.kernels.pool import avg_pool2d, global_avg_pool, max_pool2d
from kdq_ref.kernels.quantization import dequantize, quantize, requantize
from kdq_ref.kernels.softmax import softmax

__all__ = [
    "BoundPlan",
    "BoundShare",
    "Crew",
    "IsaReport",
    "Plan",
    "PlanBuilder",
    "PlanLayer",
    "add",
    "argmax",
    "available_isas",
    "avg_pool2d",
    "conv2d",
    "core_available",
    "core_problem",
    "dense",
    "dense_16x8",
    "depthwise_conv2d",
    "dequantize",
    "flatten",
    "gemm",
    "gemm_16x8",
    "global_avg_pool",
    "isa_report",
    "lookup",
    "max_pool2d",
    "quantize",
    "requantize",
    "requantize_16x8",
    "softmax",
]
