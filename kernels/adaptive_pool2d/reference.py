"""Adaptive pooling in NumPy: the definition in loops, and whole batches of rows, columns or bins at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.adaptive_pool2d import (
    adaptive_average_pool2d_backward,
    adaptive_average_pool2d_forward,
    adaptive_max_pool2d_backward,
    adaptive_max_pool2d_forward,
)
from kernels.array import Array, input_shape4
from kernels.pooling import first_maximum, replaces, scatter_to_planes
from kernels.registry import implements
from kernels.window import Pair, adaptive_bounds


@implements(adaptive_average_pool2d_forward, "loops", "the definition: the mean of every bin")
def adaptive_average_pool2d_forward_loops(x: Array, output_size: Pair) -> Array:
    """y[p, q] = mean of bin (p, q)."""
    y = np.zeros((*x.shape[:2], *output_size), x.dtype)
    for n, c, p, q in np.ndindex(y.shape):
        top, bottom = adaptive_bounds(x.shape[2], output_size[0], p)
        left, right = adaptive_bounds(x.shape[3], output_size[1], q)
        for h in range(top, bottom):
            for w in range(left, right):
                y[n, c, p, q] += x[n, c, h, w]
        y[n, c, p, q] /= (bottom - top) * (right - left)
    return y


@implements(adaptive_average_pool2d_backward, "loops", "the definition: every bin shares its gradient out")
def adaptive_average_pool2d_backward_loops(grad_output: Array, input_shape: Sequence[int]) -> Array:
    """dx[h, w] += dy[p, q] / size of bin (p, q)."""
    grad_x = np.zeros(input_shape4(input_shape), grad_output.dtype)
    for n, c, p, q in np.ndindex(grad_output.shape):
        top, bottom = adaptive_bounds(grad_x.shape[2], grad_output.shape[2], p)
        left, right = adaptive_bounds(grad_x.shape[3], grad_output.shape[3], q)
        for h in range(top, bottom):
            for w in range(left, right):
                grad_x[n, c, h, w] += grad_output[n, c, p, q] / ((bottom - top) * (right - left))
    return grad_x


@implements(adaptive_max_pool2d_forward, "loops", "the definition: look at every element of every bin")
def adaptive_max_pool2d_forward_loops(x: Array, output_size: Pair) -> tuple[Array, Array]:
    """The first maximum of each bin."""
    y = np.empty((*x.shape[:2], *output_size), x.dtype)
    indices = np.full(y.shape, -1, np.int64)
    for n, c, p, q in np.ndindex(y.shape):
        for h in range(*adaptive_bounds(x.shape[2], output_size[0], p)):
            for w in range(*adaptive_bounds(x.shape[3], output_size[1], q)):
                if indices[n, c, p, q] < 0 or replaces(x[n, c, h, w], y[n, c, p, q]):
                    y[n, c, p, q] = x[n, c, h, w]
                    indices[n, c, p, q] = h * x.shape[3] + w
    return y, indices


@implements(
    adaptive_max_pool2d_backward, "loops", "the definition: every bin hands its gradient to its winner"
)
def adaptive_max_pool2d_backward_loops(
    grad_output: Array, indices: Array, input_shape: Sequence[int]
) -> Array:
    """dx[h, w] += dy[p, q] where indices[p, q] = h W + w."""
    grad_x = np.zeros(input_shape4(input_shape), grad_output.dtype)
    for n, c, p, q in np.ndindex(grad_output.shape):
        h, w = divmod(int(indices[n, c, p, q]), grad_x.shape[3])
        grad_x[n, c, h, w] += grad_output[n, c, p, q]
    return grad_x


@implements(adaptive_average_pool2d_forward, "separable", "sums of rows, then of columns")
def adaptive_average_pool2d_forward_separable(x: Array, output_size: Pair) -> Array:
    """Sum along each axis in turn, then divide by the bins' sizes."""
    rows = np.empty((*x.shape[:2], output_size[0], x.shape[3]), x.dtype)  # (N, C, OH, W)
    for p in range(output_size[0]):
        rows[:, :, p] = x[:, :, slice(*adaptive_bounds(x.shape[2], output_size[0], p))].sum(axis=2)
    y = np.empty((*x.shape[:2], *output_size), x.dtype)  # (N, C, OH, OW)
    for q in range(output_size[1]):
        y[..., q] = rows[..., slice(*adaptive_bounds(x.shape[3], output_size[1], q))].sum(axis=3)
    y /= _bin_sizes(x.shape[2:], output_size).astype(x.real.dtype)
    return y


@implements(adaptive_average_pool2d_backward, "separable", "shares to columns, then to rows")
def adaptive_average_pool2d_backward_separable(grad_output: Array, input_shape: Sequence[int]) -> Array:
    """Divide by the bins' sizes, then spread along each axis in turn."""
    batch, channels, height, width = input_shape4(input_shape)
    bins: Pair = grad_output.shape[2:]
    share = grad_output / _bin_sizes((height, width), bins).astype(grad_output.real.dtype)
    columns = np.zeros((batch, channels, bins[0], width), share.dtype)  # (N, C, OH, W)
    for q in range(bins[1]):
        columns[..., slice(*adaptive_bounds(width, bins[1], q))] += share[..., q, None]
    grad_x = np.zeros((batch, channels, height, width), share.dtype)
    for p in range(bins[0]):
        grad_x[:, :, slice(*adaptive_bounds(height, bins[0], p))] += columns[:, :, p, None]
    return grad_x


def _bin_sizes(size: Pair, bins: Pair) -> Array:
    """The number of elements in every bin: (OH, OW)."""
    heights, widths = (
        np.array([end - start for start, end in (adaptive_bounds(length, count, i) for i in range(count))])
        for length, count in zip(size, bins, strict=True)
    )
    sizes: Array = heights[:, None] * widths
    return sizes


@implements(adaptive_max_pool2d_forward, "bins", "one argmax per bin over the whole batch")
def adaptive_max_pool2d_forward_bins(x: Array, output_size: Pair) -> tuple[Array, Array]:
    """Flatten each bin, find its maximum in all planes at once, and look it up."""
    y = np.empty((*x.shape[:2], *output_size), x.dtype)  # (N, C, OH, OW)
    indices = np.empty(y.shape, np.int64)
    for p, q in np.ndindex(*output_size):
        top, bottom = adaptive_bounds(x.shape[2], output_size[0], p)
        left, right = adaptive_bounds(x.shape[3], output_size[1], q)
        values = x[:, :, top:bottom, left:right].reshape(*x.shape[:2], (bottom - top) * (right - left))
        position = first_maximum(values)  # (N, C)
        y[..., p, q] = np.take_along_axis(values, position[..., None], axis=2)[..., 0]
        row, column = np.divmod(position, right - left)
        indices[..., p, q] = (top + row) * x.shape[3] + left + column
    return y, indices


@implements(adaptive_max_pool2d_backward, "histogram", "one weighted count of the indices")
def adaptive_max_pool2d_backward_histogram(
    grad_output: Array, indices: Array, input_shape: Sequence[int]
) -> Array:
    """Sum the gradients at each index."""
    shape = input_shape4(input_shape)
    return scatter_to_planes(grad_output, indices, np.arange(shape[0]), shape)
