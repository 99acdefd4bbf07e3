"""ROI align in Numba.

Forward all channels of a sample are read at once, from planes that were turned to (H, W, C). Backward every
thread owns some channels' planes; bilinear weights factor, so a row of bins is spread over columns first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.mapping import floating
from kernels.cpu.vector_math import like
from kernels.memory import empty
from kernels.registry import implements
from kernels.roi_align import roi_align_backward, roi_align_forward
from kernels.roi_align.sampling import Grid, sampling_grids
from kernels.window import Pair


class Samples(NamedTuple):
    """A region's samples along one axis, by bin and by point within it: (bins, points) each.

    Attributes:
        low: the lower pixel; -1 where a sample does not count.
        high: the upper pixel.
        share: the upper one's share.
    """

    low: Any
    high: Any
    share: Any


@compiled
def _sample(edge: Any, step: Any, point: int, points: int, length: int) -> tuple[int, int, Any, bool]:
    """A sample's lower pixel, upper pixel, share of the upper one, and whether it counts; see `neighbours`.

    The quotient between product and sum keeps them from being rounded together, so that a sample on the
    border falls on the same side in every version.
    """
    position = edge + (like(edge, point) + like(edge, 0.5)) * step / like(edge, points)
    counts = (position >= like(edge, -1)) & (position <= like(edge, length))
    inside = min(max(position, like(edge, 0)), like(edge, length - 1))
    lower = int(np.floor(inside))
    return lower, min(lower + 1, length - 1), inside - like(edge, lower), counts


@compiled
def _locate(edges: Any, step: Any, points: int, length: int) -> Samples:
    """A region's samples along an axis of `length` pixels."""
    low, high = np.empty((edges.size, points), np.int64), np.empty((edges.size, points), np.int64)
    share = np.empty((edges.size, points), edges.dtype)
    for b in range(edges.size):
        for i in range(points):
            lower, upper, part, counts = _sample(edges[b], step, i, points, length)
            low[b, i], high[b, i], share[b, i] = lower if counts else -1, upper, part
    return Samples(low, high, share)


@compiled
def _span(low: Any, high: Any) -> tuple[int, int]:
    """The first pixel that is sampled and the one after the last."""
    first, end = 0, 0
    for b in range(low.shape[0]):
        for i in range(low.shape[1]):
            if low[b, i] >= 0:
                first = low[b, i] if end == 0 or low[b, i] < first else first
                end = max(end, high[b, i] + 1)
    return first, end


@compiled
def _spread_rows(mixed: Any, plane: Any, low: Any, high: Any, share: Any, first: int) -> None:
    """The transposed map: each row sample adds its parts of `mixed` to its two rows."""
    for i in range(low.size):
        if low[i] >= 0:
            a, rest = share[i], like(share[i], 1) - share[i]
            lower_row, upper_row = plane[low[i], first:], plane[high[i], first:]
            for w in range(mixed.size):
                lower_row[w] += rest * mixed[w]
            for w in range(mixed.size):
                upper_row[w] += a * mixed[w]


@compiled
def _spread_columns(mixed: Any, low: Any, high: Any, share: Any, first: int, gradient: Any) -> None:
    """The transposed map of one bin."""
    for j in range(low.size):
        if low[j] >= 0:
            b = share[j]
            mixed[low[j] - first] += (like(b, 1) - b) * gradient
            mixed[high[j] - first] += b * gradient


@compiled(borrowing=True)
def _add_sample(total: Any, upper: Any, lower: Any, left: int, right: int, a: Any, b: Any) -> None:
    """total[c] += the bilinear sample between columns of two rows (W, C), for all channels c."""
    keep_a, keep_b = like(a, 1) - a, like(b, 1) - b
    upper_left, upper_right, lower_left, lower_right = keep_a * keep_b, keep_a * b, a * keep_b, a * b
    for c in range(total.size):
        total[c] += (
            upper_left * upper[left, c]
            + upper_right * upper[right, c]
            + lower_left * lower[left, c]
            + lower_right * lower[right, c]
        )


@parallel
def _forward(
    task: int,
    tasks: int,
    y: Any,
    x: Any,
    images: Any,
    row_edges: Any,
    row_steps: Any,
    row_points: Any,
    column_edges: Any,
    column_steps: Any,
    column_points: Any,
) -> None:
    """x (N, H, W, C): channels are the inner loop; a region's bins (OH OW, C) are turned round at its end."""
    regions, channels, out_height, out_width = y.shape
    bins = np.empty((out_height * out_width, channels), x.dtype)
    for k in range(regions * task // tasks, regions * (task + 1) // tasks):
        rows = _locate(row_edges[k], row_steps[k], row_points[k], x.shape[1])
        columns = _locate(column_edges[k], column_steps[k], column_points[k], x.shape[2])
        bins[:] = 0
        _add_samples(x[images[k]], rows, columns, bins)
        count = like(bins[0, 0], max(row_points[k] * column_points[k], 1))
        _store_means(bins, count, y[k].reshape(channels, out_height * out_width))


@compiled(borrowing=True)
def _add_samples(image: Any, rows: Samples, columns: Samples, bins: Any) -> None:
    """Add a region's samples of an image (H, W, C) to its bins (OH OW, C)."""
    out_height, out_width = rows.low.shape[0], columns.low.shape[0]
    for p in range(out_height):
        for i in range(rows.low.shape[1]):
            if rows.low[p, i] < 0:
                continue
            upper, lower = image[rows.low[p, i]], image[rows.high[p, i]]
            for q in range(out_width):
                for j in range(columns.low.shape[1]):
                    if columns.low[q, j] >= 0:
                        left, right, across = columns.low[q, j], columns.high[q, j], columns.share[q, j]
                        total = bins[p * out_width + q]
                        _add_sample(total, upper, lower, left, right, rows.share[p, i], across)


@compiled(borrowing=True)
def _store_means(bins: Any, count: Any, region: Any) -> None:
    """region[c, b] = bins[b, c] / count."""
    for c in range(region.shape[0]):
        for b in range(region.shape[1]):
            region[c, b] = bins[b, c] / count


@parallel
def _backward(
    task: int,
    tasks: int,
    grad_x: Any,
    grad_output: Any,
    images: Any,
    row_edges: Any,
    row_steps: Any,
    row_points: Any,
    column_edges: Any,
    column_steps: Any,
    column_points: Any,
) -> None:
    """A task owns its channels' planes and visits all regions in order, so sums are the same on every run."""
    regions, channels = grad_output.shape[:2]
    for k in range(regions):
        rows = _locate(row_edges[k], row_steps[k], row_points[k], grad_x.shape[2])
        columns = _locate(column_edges[k], column_steps[k], column_points[k], grad_x.shape[3])
        first, end = _span(columns.low, columns.high)
        mixed = np.empty(end - first, grad_x.dtype)
        count = like(grad_x[0, 0, 0, 0], max(row_points[k] * column_points[k], 1))
        for c in range(channels * task // tasks, channels * (task + 1) // tasks):
            _spread_region(grad_output[k, c], count, rows, columns, first, mixed, grad_x[images[k], c])


@compiled(borrowing=True)
def _spread_region(
    gradients: Any, count: Any, rows: Samples, columns: Samples, first: int, mixed: Any, plane: Any
) -> None:
    """Spread the gradients of a region's bins (OH, OW) over a plane; `mixed` is a row from `first` on."""
    for p in range(gradients.shape[0]):
        mixed[:] = 0
        for q in range(gradients.shape[1]):
            gradient = gradients[p, q] / count
            _spread_columns(mixed, columns.low[q], columns.high[q], columns.share[q], first, gradient)
        _spread_rows(mixed, plane, rows.low[p], rows.high[p], rows.share[p], first)


def _tables(rois: Array, grids: tuple[Grid, Grid]) -> list[Array]:
    """The regions' images, and per axis the bins' edges (K, bins), length and points (K,)."""
    tables = [rois[:, 0].astype(np.int64)]
    for grid in grids:
        places = np.arange(grid.bins, dtype=grid.step.dtype)
        edges = grid.start[:, None] + places * grid.step[:, None]
        tables += [edges, grid.step, grid.points]
    return [contiguous(table) for table in tables]


@implements(roi_align_forward, "channels_last", "all channels of a sample at once", fits=floating)
def roi_align_forward_channels_last(
    x: Array, rois: Array, output_size: Pair, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Array:
    """Regions are shared out."""
    grids = sampling_grids(rois, output_size, spatial_scale, sampling_ratio, aligned)
    y = empty((len(rois), x.shape[1], *output_size), x.dtype)
    if y.size:
        channels_last = contiguous(x.transpose(0, 2, 3, 1))  # (N, H, W, C)
        _forward(tasks_for(4 * y.size), y, channels_last, *_tables(rois, grids))
    return y


@implements(roi_align_backward, "factored", "columns spread into a row first, then that row", fits=floating)
def roi_align_backward_factored(
    grad_output: Array,
    rois: Array,
    input_shape: Sequence[int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Array:
    """Channels are shared out."""
    size = (grad_output.shape[2], grad_output.shape[3])
    grids = sampling_grids(rois, size, spatial_scale, sampling_ratio, aligned)
    grad_x = empty(tuple(input_shape), grad_output.dtype)
    grad_x[...] = 0
    if grad_output.size:
        tasks = min(grad_x.shape[1], tasks_for(4 * grad_output.size))
        _backward(tasks, grad_x, contiguous(grad_output), *_tables(rois, grids))
    return grad_x
