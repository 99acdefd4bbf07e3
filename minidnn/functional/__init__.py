"""The layers as functions: Tensors or arrays in, Tensors out; arguments as in torch.nn.functional.

One file per family; in each, a Function with forward and backward side by side, then the public function.
"""

from minidnn.functional.convolution import conv2d, conv_transpose2d
from minidnn.functional.linear import linear
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

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "avg_pool2d",
    "conv2d",
    "conv_transpose2d",
    "global_avg_pool2d",
    "global_max_pool2d",
    "linear",
    "max_pool2d",
    "max_unpool2d",
    "roi_align",
    "roi_pool",
]
