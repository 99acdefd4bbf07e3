"""ROI align on the GPU, see roi_align.cu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array, input_shape4
from kernels.cuda.launch import MOST_BLOCKS, THREADS, Source, c_type, contiguous, empty_beside, floating
from kernels.registry import implements
from kernels.roi_align import roi_align_backward, roi_align_forward
from kernels.window import Pair

SOURCE = Source(__file__, "roi_align.cu")


def _sampling(dtype: Any, bins: Sequence[int], scale: float, ratio: int, aligned: bool) -> tuple[Any, ...]:
    """The kernels' parameters SAMPLING."""
    return *map(np.int64, bins), dtype.type(scale), np.int64(ratio), np.int32(aligned)


@implements(roi_align_forward, "each", "one thread per bin", fits=floating)
def roi_align_forward_each(
    x: Array, rois: Array, output_size: Pair, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Array:
    """Four pixels for every sample of the bin."""
    x, rois = contiguous(x), contiguous(rois)
    y: Array = empty_beside(x, (rois.shape[0], x.shape[1], *output_size), x.dtype)
    sampling = _sampling(x.dtype, output_size, spatial_scale, sampling_ratio, aligned)
    arguments = (x, rois, y, *map(np.int64, (y.size, *x.shape)), *sampling)
    SOURCE.launch_each("roi_align_forward", y.size, arguments, {"REAL": c_type(x.dtype)})
    return y


@implements(
    roi_align_backward,
    "regions",
    "the samples' weights per axis first, then a block per plane takes one region after the other",
    fits=floating,
)
def roi_align_backward_regions(
    grad_output: Array,
    rois: Array,
    input_shape: Sequence[int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Array:
    """Bilinear weights factor, so every pixel gathers from the bins that sample it."""
    batch, channels, height, width = input_shape4(input_shape)
    grad_output, rois = contiguous(grad_output), contiguous(rois)
    regions, bins, dtype = rois.shape[0], grad_output.shape[2:], grad_output.dtype
    sampling = _sampling(dtype, bins, spatial_scale, sampling_ratio, aligned)
    macros = {"REAL": c_type(dtype)}
    weights = []
    for axis, length in enumerate((height, width)):
        table: Any = empty_beside(rois, (regions, bins[axis], length), dtype)
        numbers = np.int64(table.size), np.int64(length), np.int32(axis == 0)
        SOURCE.launch_each("axis_weights", table.size, (rois, table, *numbers, *sampling), macros)
        weights.append(table)
    spans, parts = empty_beside(rois, (regions, 4), np.int64), empty_beside(rois, (regions,), dtype)
    plane = np.int64(height), np.int64(width)
    SOURCE.launch_each(
        "region_spans", regions, (rois, spans, parts, np.int64(regions), *plane, *sampling), macros
    )
    grad_x: Array = empty_beside(grad_output, input_shape, dtype)
    if batch * channels:
        sizes = map(np.int64, (regions, batch, channels, height, width, *bins))
        arguments: tuple[Any, ...] = (grad_output, rois, *weights, spans, parts, grad_x, *sizes)
        grid = (min(batch * channels, MOST_BLOCKS),)
        SOURCE.launch("roi_align_backward", grid, (THREADS,), arguments, macros)
    return grad_x
