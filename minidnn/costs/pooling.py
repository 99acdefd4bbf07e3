"""Pooling by its arguments: windows, bins, whole planes and regions of interest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kernels.array import check_integer
from kernels.window import Pair, Window, adaptive_bounds, pair
from minidnn.costs.count import Count, product
from minidnn.costs.layer_cost import LayerCost, Moved, Pass
from minidnn.costs.weighted import Shape, check_shape4

_INDEX = 8  # bytes of an int64


def max_pool2d_cost(
    x: Sequence[int],
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> LayerCost:
    """Return the cost of `functional.max_pool2d`: a comparison for each entry of each window.

    Raises:
        ValueError: a number out of range, or a window that does not fit.
        TypeError: a number that is not an integer.
    """
    window = Window.of(kernel_size, kernel_size if stride is None else stride, padding, dilation, ceil_mode)
    shape = check_shape4(x)
    y = (*shape[:2], *window.output_size(shape[2:]))
    return _maximum(shape, y, _per_window(y, window.kernel))


def avg_pool2d_cost(
    x: Sequence[int], kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False
) -> LayerCost:
    """Return the cost of `functional.avg_pool2d`: an addition for each entry, a division for each window.

    Raises:
        ValueError, TypeError: as `max_pool2d_cost`.
    """
    window = Window.of(kernel_size, kernel_size if stride is None else stride, padding, 1, ceil_mode)
    shape = check_shape4(x)
    y = (*shape[:2], *window.output_size(shape[2:]))
    return _average(shape, y, _per_window(y, window.kernel))


def adaptive_pool2d_cost(x: Sequence[int], output_size: Any, average: bool) -> LayerCost:
    """Return the cost of adaptive pooling, of averages or maxima; an output of 1 is global pooling.

    Raises:
        ValueError, TypeError: as `max_pool2d_cost`.
    """
    shape = check_shape4(x)
    bins = pair("output_size", output_size, minimum=1)
    y = (*shape[:2], *bins)
    entries = _per_bin(shape[:2], shape[2:], bins)
    return _average(shape, y, entries) if average else _maximum(shape, y, entries)


def max_unpool2d_cost(x: Sequence[int], kernel_size: Any, stride: Any = None, padding: Any = 0) -> LayerCost:
    """Return the cost of `functional.max_unpool2d`, which copies.

    Raises:
        ValueError, TypeError: as `max_pool2d_cost`.
    """
    shape = check_shape4(x)
    window = Window.of(kernel_size, kernel_size if stride is None else stride, padding)
    y = (*shape[:2], *window.transposed_output_size(shape[2:]))
    places = Moved("indices", shape, _INDEX)
    forward = Pass(Count(), Count(), (Moved("x", shape), places), (Moved("y", y),))
    backward = Pass(Count(), Count(), (Moved("grad_y", y), places), (Moved("grad_x", shape),))
    return LayerCost(shape, y, Count(), forward, backward)


def roi_pool_cost(x: Sequence[int], regions: int, region_size: Any, output_size: Any) -> LayerCost:
    """Return the cost of ROI pooling of so many regions of one size (h, w), in pixels of the feature map.

    Raises:
        ValueError, TypeError: as `max_pool2d_cost`.
    """
    shape, count, size, bins = _regions(x, regions, region_size, output_size)
    y = (count, shape[1], *bins)
    return _maximum(shape, y, _per_bin(y[:2], size, bins), (Moved("rois", (count, 5)),))


def roi_align_cost(
    x: Sequence[int], regions: int, region_size: Any, output_size: Any, sampling_ratio: int = -1
) -> LayerCost:
    """Return the cost of ROI align of so many regions of one size (h, w), in pixels of the feature map.

    A sample is a sum of four products: 7 operations; one more adds it to its bin.

    Raises:
        ValueError, TypeError: as `max_pool2d_cost`.
    """
    shape, count, size, bins = _regions(x, regions, region_size, output_size)
    ratio = check_integer("sampling_ratio", sampling_ratio)
    points = [ratio if ratio > 0 else -(-length // number) for length, number in zip(size, bins, strict=True)]
    y = (count, shape[1], *bins)
    samples = product(times=8, K=count, C=y[1], OH=y[2], OW=y[3], GH=points[0], GW=points[1])
    divisions = product(K=count, C=y[1], OH=y[2], OW=y[3])
    rois = Moved("rois", (count, 5))
    forward = Pass(Count(), samples + divisions, (Moved("x", shape), rois), (Moved("y", y),))
    backward = Pass(Count(), samples + divisions, (Moved("grad_y", y), rois), (Moved("grad_x", shape),))
    return LayerCost(shape, y, Count(), forward, backward)


def _regions(
    x: Sequence[int], regions: int, region_size: Any, output_size: Any
) -> tuple[tuple[int, int, int, int], int, Pair, Pair]:
    return (
        check_shape4(x),
        check_integer("regions", regions, minimum=1),
        pair("region_size", region_size, minimum=1),
        pair("output_size", output_size, minimum=1),
    )


def _per_window(y: Shape, kernel: Pair) -> Count:
    n, c, oh, ow = y
    return product(N=n, C=c, OH=oh, OW=ow, KH=kernel[0], KW=kernel[1])


def _per_bin(planes: Sequence[int], size: Sequence[int], bins: Pair) -> Count:
    """The entries of all bins: those along the rows times those along the columns, in every plane."""
    rows, columns = (
        sum(end - start for start, end in (adaptive_bounds(length, number, i) for i in range(number)))
        for length, number in zip(size, bins, strict=True)
    )
    return product(planes=planes[0] * planes[1], rows=rows, columns=columns)


def _maximum(shape: Shape, y: Shape, entries: Count, given: tuple[Moved, ...] = ()) -> LayerCost:
    """Forward compares every entry; backward adds each gradient to its winner's."""
    places = Moved("indices", y, _INDEX)
    additions = product(y=math.prod(y))
    forward = Pass(Count(), entries, (Moved("x", shape), *given), (Moved("y", y), places))
    backward = Pass(Count(), additions, (Moved("grad_y", y), places), (Moved("grad_x", shape),))
    return LayerCost(shape, y, Count(), forward, backward)


def _average(shape: Shape, y: Shape, entries: Count) -> LayerCost:
    """Forward adds every entry and divides once; backward divides once and adds to every entry."""
    operations = entries + product(y=math.prod(y))
    forward = Pass(Count(), operations, (Moved("x", shape),), (Moved("y", y),))
    backward = Pass(Count(), operations, (Moved("grad_y", y),), (Moved("grad_x", shape),))
    return LayerCost(shape, y, Count(), forward, backward)
