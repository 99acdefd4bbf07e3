"""ROI max pooling in NumPy: the definition in loops, and all channels of a bin at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array, input_shape4
from kernels.pooling import scatter_to_planes
from kernels.registry import implements
from kernels.roi_pool import roi_pool_backward, roi_pool_forward
from kernels.roi_pool.bins import LOWEST, region_bins
from kernels.window import Pair


@implements(roi_pool_forward, "loops", "the definition: look at every pixel of every bin")
def roi_pool_forward_loops(
    x: Array, rois: Array, output_size: Pair, spatial_scale: float
) -> tuple[Array, Array]:
    """The first maximum of each bin, and its place h W + w in the plane."""
    rows, columns = region_bins(rois, output_size, spatial_scale, x.shape[2:])
    y = np.zeros((len(rois), x.shape[1], *output_size), x.dtype)
    argmax = np.full(y.shape, -1, np.int64)
    for k, c, p, q in np.ndindex(y.shape):
        plane = x[int(rois[k, 0]), c]
        (top, bottom), (left, right) = rows[k, p], columns[k, q]
        if bottom > top and right > left:
            y[k, c, p, q] = LOWEST
        for h in range(top, bottom):
            for w in range(left, right):
                if plane[h, w] > y[k, c, p, q]:
                    y[k, c, p, q] = plane[h, w]
                    argmax[k, c, p, q] = h * x.shape[3] + w
    return y, argmax


@implements(roi_pool_backward, "loops", "the definition: every bin hands its gradient to its winner")
def roi_pool_backward_loops(
    grad_output: Array, argmax: Array, rois: Array, input_shape: Sequence[int]
) -> Array:
    """dx[h, w] += dy[k, p, q] where argmax[k, p, q] = h W + w."""
    grad_x = np.zeros(input_shape4(input_shape), grad_output.dtype)
    for k, c, p, q in np.ndindex(grad_output.shape):
        if argmax[k, c, p, q] >= 0:
            h, w = divmod(int(argmax[k, c, p, q]), grad_x.shape[3])
            grad_x[int(rois[k, 0]), c, h, w] += grad_output[k, c, p, q]
    return grad_x


@implements(roi_pool_forward, "bins", "one argmax per bin over all channels")
def roi_pool_forward_bins(
    x: Array, rois: Array, output_size: Pair, spatial_scale: float
) -> tuple[Array, Array]:
    """Flatten each bin, find its maximum in all channels at once, and look it up."""
    rows, columns = region_bins(rois, output_size, spatial_scale, x.shape[2:])
    y = np.zeros((len(rois), x.shape[1], *output_size), x.dtype)  # (K, C, OH, OW)
    argmax = np.full(y.shape, -1, np.int64)
    for k, p, q in np.ndindex(len(rois), *output_size):
        (top, bottom), (left, right) = rows[k, p], columns[k, q]
        if bottom <= top or right <= left:
            continue
        pixels = x[int(rois[k, 0]), :, top:bottom, left:right]  # (C, h, w)
        values = np.where(pixels > LOWEST, pixels, LOWEST).reshape(len(pixels), -1 if len(pixels) else 1)
        winner = values.argmax(axis=1)  # (C,)
        best = np.take_along_axis(values, winner[:, None], axis=1)[:, 0]
        row, column = np.divmod(winner, right - left)
        y[k, :, p, q] = best
        argmax[k, :, p, q] = np.where(best > LOWEST, (top + row) * x.shape[3] + left + column, -1)
    return y, argmax


@implements(roi_pool_backward, "histogram", "one weighted count of the winners")
def roi_pool_backward_histogram(
    grad_output: Array, argmax: Array, rois: Array, input_shape: Sequence[int]
) -> Array:
    """Sum the gradients at each winner."""
    return scatter_to_planes(grad_output, argmax, rois[:, 0].astype(np.int64), input_shape4(input_shape))
