"""Which pixels the bins of a region cover: the rounding that every version shares."""

from __future__ import annotations

import numpy as np

from kernels.array import Array
from kernels.window import Pair

# What a maximum must exceed: torchvision starts from the lowest float32 for every dtype.
LOWEST = -float(np.finfo(np.float32).max)


def region_bins(rois: Array, output_size: Pair, spatial_scale: float, plane: Pair) -> tuple[Array, Array]:
    """Return the bins' rows (K, OH, 2) and columns (K, OW, 2) as [start, end) within the (H, W) plane."""
    x1, y1, x2, y2 = _round(rois[:, 1:].T * rois.dtype.type(spatial_scale))  # (K,) each
    rows = _edges(y1, y2, output_size[0], plane[0], rois.dtype)
    columns = _edges(x1, x2, output_size[1], plane[1], rois.dtype)
    return rows, columns


def _edges(first: Array, last: Array, bins: int, length: int, dtype: np.dtype[np.floating]) -> Array:
    """The bins' [start, end) along one axis, (K, B, 2), for regions first..last, both ends included."""
    size = np.maximum(last - first + 1, 1).astype(dtype)  # (K,)
    step = (size / dtype.type(bins))[:, None]
    index = np.arange(bins, dtype=dtype)  # (B,)
    edges = np.stack((np.floor(index * step), np.ceil((index + 1) * step)), axis=2)  # (K, B, 2)
    return np.clip(edges.astype(np.int64) + first[:, None, None], 0, length)


def _round(values: Array) -> Array:
    """The nearest integers, halves away from zero (np.round would take them to the even neighbour)."""
    whole = np.trunc(values)
    away = np.where(np.abs(values - whole) >= 0.5, np.sign(values), 0)
    return (whole + away).astype(np.int64)
