"""Pooling to a given number of bins and of whole planes, worked out."""

from __future__ import annotations

from collections.abc import Sequence

from kernels.window import Pair, adaptive_bounds, pair
from minidnn.costs.pooling import adaptive_pool2d_cost
from minidnn.explanation.arithmetic import at
from minidnn.explanation.content import Equation, Explanation, Index, Step
from minidnn.explanation.example import Draws, middle
from minidnn.explanation.pooling import (
    SCHERER,
    Pooling,
    explain_average,
    explain_maximum,
    image_shape,
    sized,
)
from minidnn.explanation.settings import Size
from minidnn.functional.pooling import adaptive_avg_pool2d, adaptive_max_pool2d

_HE = "He et al., Spatial pyramid pooling in deep convolutional networks, 2014, section 2.2"


def explain_adaptive_avg_pool2d(
    *, output_size: Size = (2, 3), channels: int = 1, size: Size = (5, 6), seed: int = 0
) -> Explanation:
    """Averages of a given number of bins."""
    shape = image_shape(channels, size)
    bins = pair("output_size", output_size, minimum=1)
    example = Pooling(
        "adaptive_avg_pool2d: the mean of every bin of a grid of given size",
        "y[n,c,i,j] = mean of x[n,c,h,w] over floor(i·H/OH) <= h < ceil((i+1)·H/OH), w likewise",
        _HE,
        "bin",
        adaptive_pool2d_cost(shape, bins, average=True),
    )
    x = Draws(seed).whole(shape)
    return sized(
        explain_average(
            example,
            x,
            seed,
            lambda t: adaptive_avg_pool2d(t, bins),
            lambda index: _in_bin(index, shape, bins),
            lambda index: 0,
        ),
        _bin_steps(shape, bins),
    )


def explain_adaptive_max_pool2d(
    *, output_size: Size = (2, 3), channels: int = 1, size: Size = (5, 6), seed: int = 0
) -> Explanation:
    """Maxima of a given number of bins."""
    shape = image_shape(channels, size)
    bins = pair("output_size", output_size, minimum=1)
    example = Pooling(
        "adaptive_max_pool2d: the largest entry of every bin of a grid of given size",
        "y[n,c,i,j] = max of x[n,c,h,w] over floor(i·H/OH) <= h < ceil((i+1)·H/OH), w likewise",
        _HE,
        "bin",
        adaptive_pool2d_cost(shape, bins, average=False),
    )
    return sized(
        explain_maximum(
            example,
            Draws(seed).whole(shape),
            seed,
            lambda x: adaptive_max_pool2d(x, bins, return_indices=True),
            lambda index: _in_bin(index, shape, bins),
        ),
        _bin_steps(shape, bins),
    )


def explain_global_avg_pool2d(*, channels: int = 2, size: Size = (3, 4), seed: int = 0) -> Explanation:
    """The mean of every plane."""
    shape = image_shape(channels, size)
    example = Pooling(
        "global_avg_pool2d: the mean of every plane",
        "y[n,c] = sum over h,w of x[n,c,h,w] / (H·W)",
        "Lin et al., Network in network, 2014, section 3.2",
        "plane",
        adaptive_pool2d_cost(shape, 1, average=True),
    )
    return explain_average(
        example,
        Draws(seed).whole(shape),
        seed,
        lambda x: adaptive_avg_pool2d(x, 1),
        lambda index: _in_bin(index, shape, (1, 1)),
        lambda index: 0,
    )


def explain_global_max_pool2d(*, channels: int = 2, size: Size = (3, 4), seed: int = 0) -> Explanation:
    """The largest entry of every plane."""
    shape = image_shape(channels, size)
    example = Pooling(
        "global_max_pool2d: the largest entry of every plane",
        "y[n,c] = max over h,w of x[n,c,h,w]",
        SCHERER,
        "plane",
        adaptive_pool2d_cost(shape, 1, average=False),
    )
    return explain_maximum(
        example,
        Draws(seed).whole(shape),
        seed,
        lambda x: adaptive_max_pool2d(x, 1, return_indices=True),
        lambda index: _in_bin(index, shape, (1, 1)),
    )


def _in_bin(index: Index, shape: Sequence[int], bins: Pair) -> list[Index]:
    (top, bottom), (left, right) = (
        adaptive_bounds(shape[axis + 2], bins[axis], index[axis + 2]) for axis in (0, 1)
    )
    return [(*index[:2], row, column) for row in range(top, bottom) for column in range(left, right)]


def _bin_steps(shape: Sequence[int], bins: Pair) -> tuple[Step, ...]:
    """Where the bin in the middle begins and ends."""
    index = middle((1, 1, *bins))
    equations = []
    for axis, name in ((0, "H"), (1, "W")):
        i, length = index[axis + 2], shape[axis + 2]
        first, last = adaptive_bounds(length, bins[axis], i)
        what = ("rows", "columns")[axis]
        equations += [
            Equation(
                f"first of {what}", f"floor(i·{name}/O{name})", f"floor({i}·{length}/{bins[axis]})", first
            ),
            Equation(
                f"end of {what}", f"ceil((i+1)·{name}/O{name})", f"ceil(({i}+1)·{length}/{bins[axis]})", last
            ),
        ]
    return (Step(f"the bin of {at('y', index)}", ("Bins may overlap; the end is not included.", *equations)),)
