"""The specification: integer operators in plain NumPy, readable first.

Activations are int8 with a zero point, images ``(B, H, W, C)``, weights symmetric int8, biases and
accumulators int32 (computed here in int64, so that nothing can wrap); in the operators called
``_16x8``, activations are symmetric int16, biases and accumulators int64. Everything fast in this
project is tested to return exactly what these functions return.
"""

from kdq_ref.intref.affine import conv2d, dense, depthwise_conv2d, gemm
from kdq_ref.intref.elementwise import add, argmax, flatten, lookup, lookup_table
from kdq_ref.intref.int16x8 import dense_16x8, gemm_16x8, requantize_16x8
from kdq_ref.intref.pool import avg_pool2d, global_avg_pool, max_pool2d
from kdq_ref.intref.quantization import dequantize, quantize, requantize
from kdq_ref.intref.softmax import softmax, softmax_table

__all__ = [
    "add",
    "argmax",
    "avg_pool2d",
    "conv2d",
    "dense",
    "dense_16x8",
    "depthwise_conv2d",
    "dequantize",
    "flatten",
    "gemm",
    "gemm_16x8",
    "global_avg_pool",
    "lookup",
    "lookup_table",
    "max_pool2d",
    "quantize",
    "requantize",
    "requantize_16x8",
    "softmax",
    "softmax_table",
]
