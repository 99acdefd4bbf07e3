"""ROI max pooling on the GPU, see roi_pool.cu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array, input_shape4
from kernels.cuda.launch import MOST_BLOCKS, THREADS, Source, c_type, contiguous, empty_beside, floating
from kernels.registry import implements
from kernels.roi_pool import roi_pool_backward, roi_pool_forward
from kernels.window import Pair

SOURCE = Source(__file__, "roi_pool.cu")


@implements(roi_pool_forward, "each", "one thread per bin", fits=floating)
def roi_pool_forward_each(
    x: Array, rois: Array, output_size: Pair, spatial_scale: float
) -> tuple[Array, Array]:
    """The maximum and its place, in one walk over the bin."""
    x, rois = contiguous(x), contiguous(rois)
    y = empty_beside(x, (rois.shape[0], x.shape[1], *output_size), x.dtype)
    argmax = empty_beside(x, y.shape, np.int64)
    sizes = map(np.int64, (y.size, *x.shape, *output_size))
    arguments = (x, rois, y, argmax, *sizes, x.dtype.type(spatial_scale))
    SOURCE.launch_each("roi_pool_forward", y.size, arguments, {"REAL": c_type(x.dtype)})
    return y, argmax


@implements(
    roi_pool_backward,
    "owners",
    "a block per plane, in which every pixel has a thread of its own that looks at all bins",
    fits=floating,
)
def roi_pool_backward_owners(
    grad_output: Array, argmax: Array, rois: Array, input_shape: Sequence[int]
) -> Array:
    """A thread meets its bins in order, so the sum's order never changes."""
    batch, channels, height, width = input_shape4(input_shape)
    grad_output = contiguous(grad_output)
    grad_x: Array = empty_beside(grad_output, input_shape, grad_output.dtype)
    if batch * channels:
        bins = grad_output.shape[2] * grad_output.shape[3]
        sizes = map(np.int64, (batch, channels, height * width, rois.shape[0], bins))
        arguments: tuple[Any, ...] = (grad_output, contiguous(argmax), contiguous(rois), grad_x, *sizes)
        grid = (min(batch * channels, MOST_BLOCKS),)
        SOURCE.launch("roi_pool_backward", grid, (THREADS,), arguments, {"REAL": c_type(grad_x.dtype)})
    return grad_x
