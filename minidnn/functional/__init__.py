"""The layers as functions: Tensors or arrays in, Tensors out; arguments as in torch.nn.functional.

One file per family; in each, a Function with forward and backward side by side, then the public function.
"""

from minidnn.functional.activation import (
    gelu,
    hardsigmoid,
    hardswish,
    leaky_relu,
    log_softmax,
    relu,
    relu6,
    sigmoid,
    silu,
    softmax,
    tanh,
)
from minidnn.functional.convolution import conv2d, conv_transpose2d
from minidnn.functional.dropout import dropout
from minidnn.functional.interpolation import interpolate
from minidnn.functional.linear import linear
from minidnn.functional.locally_connected import locally_connected2d
from minidnn.functional.loss import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    mse_loss,
    multi_margin_loss,
    nll_loss,
    smooth_l1_loss,
)
from minidnn.functional.normalization import batch_norm, local_response_norm
from minidnn.functional.padding import pad
from minidnn.functional.pooling import (
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool2d,
    global_avg_pool2d,
    global_max_pool2d,
    max_pool2d,
    max_unpool2d,
)
from minidnn.functional.roi import roi_align, roi_pool
from minidnn.functional.shape import (
    cat,
    chunk,
    clamp,
    clip,
    flatten,
    matmul,
    maximum,
    minimum,
    split,
    stack,
    where,
)

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "cat",
    "chunk",
    "clamp",
    "clip",
    "conv2d",
    "conv_transpose2d",
    "cross_entropy",
    "dropout",
    "flatten",
    "gelu",
    "global_avg_pool2d",
    "global_max_pool2d",
    "hardsigmoid",
    "hardswish",
    "interpolate",
    "l1_loss",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "locally_connected2d",
    "log_softmax",
    "matmul",
    "max_pool2d",
    "max_unpool2d",
    "maximum",
    "minimum",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "pad",
    "relu",
    "relu6",
    "roi_align",
    "roi_pool",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "split",
    "stack",
    "tanh",
    "where",
]
