"""ROI align in NumPy: the definition in loops, and two small matrix products per region."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kernels.array import Array, input_shape4
from kernels.registry import implements
from kernels.roi_align import roi_align_backward, roi_align_forward
from kernels.roi_align.sampling import Grid, neighbours, sampling_grids
from kernels.threads import matrix_product
from kernels.window import Pair


@implements(roi_align_forward, "loops", "the definition: four pixels for every sample of every bin")
def roi_align_forward_loops(
    x: Array, rois: Array, output_size: Pair, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Array:
    """y[k, p, q] = mean of the bin's bilinear samples."""
    grids = sampling_grids(rois, output_size, spatial_scale, sampling_ratio, aligned)
    y = np.zeros((len(rois), x.shape[1], *output_size), x.dtype)
    for k, c, p, q in np.ndindex(y.shape):
        plane = x[int(rois[k, 0]), c]
        for h, w, weight in bin_pixels(grids, k, (p, q), x.shape[2:]):
            y[k, c, p, q] += weight * plane[h, w]
        y[k, c, p, q] /= sample_count(grids, k)
    return y


@implements(roi_align_backward, "loops", "the definition: every sample shares its bin's gradient out")
def roi_align_backward_loops(
    grad_output: Array,
    rois: Array,
    input_shape: Sequence[int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Array:
    """dx[h, w] += weight * dy[k, p, q] / number of samples."""
    grids = sampling_grids(rois, grad_output.shape[2:], spatial_scale, sampling_ratio, aligned)
    grad_x = np.zeros(input_shape4(input_shape), grad_output.dtype)
    for k, c, p, q in np.ndindex(grad_output.shape):
        plane = grad_x[int(rois[k, 0]), c]
        share = grad_output[k, c, p, q] / sample_count(grids, k)
        for h, w, weight in bin_pixels(grids, k, (p, q), grad_x.shape[2:]):
            plane[h, w] += weight * share
    return grad_x


def bin_pixels(
    grids: tuple[Grid, Grid], k: int, place: Pair, plane: Pair
) -> Iterator[tuple[int, int, np.floating]]:
    """The pixels (h, w) of region k's bin (p, q) with their bilinear weights, sample by sample."""
    rows, columns = (
        list(zip(*neighbours(grid.positions(k)[i], length), strict=True))
        for grid, i, length in zip(grids, place, plane, strict=True)
    )
    for top, bottom, down, vertical in rows:
        for left, right, across, horizontal in columns:
            if vertical and horizontal:
                yield top, left, (1 - down) * (1 - across)
                yield top, right, (1 - down) * across
                yield bottom, left, down * (1 - across)
                yield bottom, right, down * across


def sample_count(grids: tuple[Grid, Grid], k: int) -> int:
    """What the sums of region k are divided by."""
    return max(int(grids[0].points[k]) * int(grids[1].points[k]), 1)


@implements(roi_align_forward, "matmul", "the samples of a bin as one row of a matrix per axis")
def roi_align_forward_matmul(
    x: Array, rois: Array, output_size: Pair, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Array:
    """Bilinear weights factor: Y = V X U^T / count, with V and U of `_weights`."""
    grids = sampling_grids(rois, output_size, spatial_scale, sampling_ratio, aligned)
    y = np.empty((len(rois), x.shape[1], *output_size), x.dtype)
    for k in range(len(rois)):
        (rows, v), (columns, u) = (_weights(g, k, n) for g, n in zip(grids, x.shape[2:], strict=True))
        pixels = x[int(rois[k, 0]), :, rows, columns]  # (C, h, w)
        # (OH, h) @ (C, h, w) @ (w, OW) -> (C, OH, OW)
        y[k] = matrix_product(matrix_product(v, pixels), u.T) / x.real.dtype.type(sample_count(grids, k))
    return y


@implements(roi_align_backward, "matmul", "the transposed matrices, region after region")
def roi_align_backward_matmul(
    grad_output: Array,
    rois: Array,
    input_shape: Sequence[int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Array:
    """DX += V^T DY U / count."""
    grids = sampling_grids(rois, grad_output.shape[2:], spatial_scale, sampling_ratio, aligned)
    grad_x = np.zeros(input_shape4(input_shape), grad_output.dtype)
    for k in range(len(rois)):
        (rows, v), (columns, u) = (_weights(g, k, n) for g, n in zip(grids, grad_x.shape[2:], strict=True))
        share = grad_output[k] / grad_output.real.dtype.type(sample_count(grids, k))  # (C, OH, OW)
        # (h, OH) @ (C, OH, OW) @ (OW, w) -> (C, h, w)
        grad_x[int(rois[k, 0]), :, rows, columns] += matrix_product(matrix_product(v.T, share), u)
    return grad_x


def _weights(grid: Grid, k: int, length: int) -> tuple[slice, Array]:
    """The pixels that region k samples along one axis, and their weights in each bin: (bins, pixels).

    Pixels outside the region are left out, so that they cannot spoil it with 0 * inf.
    """
    lower, upper, share, counts = neighbours(grid.positions(k), length)  # (bins, points) each
    first, end = (int(lower[counts].min()), int(upper[counts].max()) + 1) if counts.any() else (0, 0)
    weights = np.zeros((grid.bins, end - first), share.dtype)
    bins = np.nonzero(counts)[0]
    np.add.at(weights, (bins, lower[counts] - first), 1 - share[counts])
    np.add.at(weights, (bins, upper[counts] - first), share[counts])
    return slice(first, end), weights
