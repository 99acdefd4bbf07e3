"""ROI max pooling in Numba: regions shared out going forward, channels going back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.mapping import floating
from kernels.cpu.vector_math import like
from kernels.memory import empty
from kernels.registry import implements
from kernels.roi_pool import roi_pool_backward, roi_pool_forward
from kernels.roi_pool.bins import LOWEST, region_bins
from kernels.window import Pair


@compiled(borrowing=True)
def _first_maximum(plane: Any, top: int, bottom: int, left: int, right: int, start: Any) -> tuple[Any, int]:
    """The first of a bin's largest elements above `start`, and its place; else `start` and -1."""
    best, place = start, -1
    for h in range(top, bottom):
        for w in range(left, right):
            if plane[h, w] > best:
                best, place = plane[h, w], h * plane.shape[1] + w
    return best, place


@parallel
def _forward(
    task: int, tasks: int, y: Any, argmax: Any, x: Any, images: Any, rows: Any, columns: Any
) -> None:
    regions, channels, out_height, out_width = y.shape
    zero, lowest = like(y[0, 0, 0, 0], 0), like(y[0, 0, 0, 0], LOWEST)
    for job in range(regions * channels * task // tasks, regions * channels * (task + 1) // tasks):
        k, c = job // channels, job % channels
        plane = x[images[k], c]
        for p in range(out_height):
            top, bottom = rows[k, p, 0], rows[k, p, 1]
            for q in range(out_width):
                left, right = columns[k, q, 0], columns[k, q, 1]
                start = lowest if bottom > top and right > left else zero
                y[k, c, p, q], argmax[k, c, p, q] = _first_maximum(plane, top, bottom, left, right, start)


@parallel
def _backward(task: int, tasks: int, grad_x: Any, grad_output: Any, argmax: Any, images: Any) -> None:
    """A task owns its channels' planes and visits all regions in order; grad_x (N, C, H W)."""
    regions, channels, bins = grad_output.shape
    for k in range(regions):
        for c in range(channels * task // tasks, channels * (task + 1) // tasks):
            plane = grad_x[images[k], c]
            for b in range(bins):
                if argmax[k, c, b] >= 0:
                    plane[argmax[k, c, b]] += grad_output[k, c, b]


@implements(roi_pool_forward, "regions", "region after region, by all threads", fits=floating)
def roi_pool_forward_regions(
    x: Array, rois: Array, output_size: Pair, spatial_scale: float
) -> tuple[Array, Array]:
    """The first maximum of each bin, and its place h W + w in the plane."""
    rows, columns = region_bins(rois, output_size, spatial_scale, (x.shape[2], x.shape[3]))
    shape = (len(rois), x.shape[1], *output_size)
    y, argmax = empty(shape, x.dtype), empty(shape, np.int64)
    if y.size:
        images = rois[:, 0].astype(np.int64)
        tables = [contiguous(table) for table in (images, rows, columns)]
        _forward(tasks_for(4 * y.size), y, argmax, contiguous(x), *tables)
    return y, argmax


@implements(roi_pool_backward, "channels", "every thread adds up its own channels' planes", fits=floating)
def roi_pool_backward_channels(
    grad_output: Array, argmax: Array, rois: Array, input_shape: Sequence[int]
) -> Array:
    """dx[argmax] += dy, in the order of (k, p, q)."""
    batch, channels, height, width = input_shape
    grad_x = empty((batch, channels, height * width), grad_output.dtype)
    grad_x[...] = 0
    if grad_output.size:
        flat = (len(rois), channels, -1)
        tasks = min(channels, tasks_for(grad_output.size))
        gradient, places = contiguous(grad_output).reshape(flat), contiguous(argmax).reshape(flat)
        _backward(tasks, grad_x, gradient, places, rois[:, 0].astype(np.int64))
    return grad_x.reshape(batch, channels, height, width)
