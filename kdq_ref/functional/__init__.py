"""Float math as stateless pairs: ``y, cache = f_forward(...)``, ``dx = f_backward(dy, cache)``.

Arrays are channels last: images (B, H, W, C), dense weights (in, out), convolution weights
(kh, kw, in / groups, out). The result has the dtype of its operands; nothing is cast. No function
writes to an argument, so a cache may hold references.
"""

from kdq_ref.functional.activation import (
    gelu_backward,
    gelu_forward,
    hard_swish_backward,
    hard_swish_forward,
    leaky_relu_backward,
    leaky_relu_forward,
    relu6_backward,
    relu6_forward,
    relu_backward,
    relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    tanh_backward,
    tanh_forward,
)
from kdq_ref.functional.conv2d import conv2d_backward, conv2d_forward
from kdq_ref.functional.dense import dense_backward, dense_forward
from kdq_ref.functional.depthwise import depthwise_conv2d_backward, depthwise_conv2d_forward
from kdq_ref.functional.dropout import dropout_backward, dropout_forward
from kdq_ref.functional.norm import (
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_inference_backward,
    batch_norm_inference_forward,
)
from kdq_ref.functional.pool import (
    avg_pool2d_backward,
    avg_pool2d_forward,
    global_avg_pool_backward,
    global_avg_pool_forward,
    max_pool2d_backward,
    max_pool2d_forward,
)
from kdq_ref.functional.softmax import (
    log_softmax_backward,
    log_softmax_forward,
    softmax_backward,
    softmax_forward,
)

__all__ = [
    "avg_pool2d_backward",
    "avg_pool2d_forward",
    "batch_norm_backward",
    "batch_norm_forward",
    "batch_norm_inference_backward",
    "batch_norm_inference_forward",
    "conv2d_backward",
    "conv2d_forward",
    "dense_backward",
    "dense_forward",
    "depthwise_conv2d_backward",
    "depthwise_conv2d_forward",
    "dropout_backward",
    "dropout_forward",
    "gelu_backward",
    "gelu_forward",
    "global_avg_pool_backward",
    "global_avg_pool_forward",
    "hard_swish_backward",
    "hard_swish_forward",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "log_softmax_backward",
    "log_softmax_forward",
    "max_pool2d_backward",
    "max_pool2d_forward",
    "relu6_backward",
    "relu6_forward",
    "relu_backward",
    "relu_forward",
    "sigmoid_backward",
    "sigmoid_forward",
    "softmax_backward",
    "softmax_forward",
    "tanh_backward",
    "tanh_forward",
]
