"""Where ROI align samples: the arithmetic that every version shares, in the dtype of the regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kernels.array import Array
from kernels.window import Pair


@dataclass(frozen=True)
class Grid:
    """The samples of all K regions along one axis: `bins` bins of `points[k]` samples each.

    Attributes:
        start: the regions' first edge, (K,).
        step: the length of a bin, (K,).
        points: samples per bin, (K,), int64.
        bins: the number of bins.
    """

    start: Array
    step: Array
    points: Array
    bins: int

    def positions(self, k: int) -> Array:
        """Return where region k is sampled: (bins, points[k])."""
        dtype = self.step.dtype
        edge = self.start[k] + np.arange(self.bins, dtype=dtype)[:, None] * self.step[k]
        inner = (np.arange(self.points[k], dtype=dtype) + dtype.type(0.5)) * self.step[k]
        positions: Array = edge + inner / dtype.type(max(self.points[k], 1))
        return positions


def sampling_grids(
    rois: Array, output_size: Pair, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> tuple[Grid, Grid]:
    """Return the vertical and the horizontal grid of all regions."""
    shift = rois.dtype.type(0.5 if aligned else 0)
    x1, y1, x2, y2 = rois[:, 1:].T * rois.dtype.type(spatial_scale) - shift  # (K,) each
    return (
        _grid(y1, y2, output_size[0], sampling_ratio, aligned),
        _grid(x1, x2, output_size[1], sampling_ratio, aligned),
    )


def _grid(first: Array, last: Array, bins: int, sampling_ratio: int, aligned: bool) -> Grid:
    size = last - first if aligned else np.maximum(last - first, 1)
    step = size / size.dtype.type(bins)
    adaptive = np.maximum(np.ceil(step), 0).astype(np.int64)
    points = np.full_like(adaptive, sampling_ratio) if sampling_ratio > 0 else adaptive
    return Grid(first, step, points, bins)


def neighbours(positions: Array, length: int) -> tuple[Array, Array, Array, Array]:
    """Return each position's lower pixel, upper pixel, share of the upper one, and whether it counts.

    Positions up to one pixel outside count as the outermost pixel, those farther out do not count.
    """
    counts = (positions >= -1) & (positions <= length)
    inside = np.clip(positions, 0, length - 1)
    lower = np.floor(inside).astype(np.int64)
    return lower, np.minimum(lower + 1, length - 1), inside - lower.astype(positions.dtype), counts
