"""ROI pooling and ROI align, worked out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import kernels
from kernels.array import Array, check_integer
from kernels.roi_align.sampling import neighbours, sampling_grids
from kernels.roi_pool import roi_pool_forward
from kernels.roi_pool.bins import region_bins
from kernels.window import Pair, pair
from minidnn.costs.pooling import roi_align_cost, roi_pool_cost
from minidnn.costs.weighted import check_shape4
from minidnn.explanation.arithmetic import at, bracketed, constant, number, share
from minidnn.explanation.content import Equation, Explanation, Index, Step, Table
from minidnn.explanation.example import Draws, arguments_shape, work_out
from minidnn.explanation.selection import Source, Sources, backward_steps, input_step, output_step
from minidnn.explanation.settings import Size
from minidnn.functional.roi import roi_align, roi_pool

_CORNERS = ("x1", "y1", "x2", "y2")


class _Example(NamedTuple):
    """A feature map and a region of it.

    Attributes:
        x: the map, (1, C, H, W).
        rois: the region, (1, 5).
        bins: (OH, OW).
        output: which one is worked out.
    """

    x: Array
    rois: Array
    bins: Pair
    output: Index


def explain_roi_pool(
    *,
    box: Size = (8, 20, 88, 72),
    output_size: Size = 2,
    spatial_scale: float = 0.0625,
    channels: int = 1,
    size: Size = (6, 8),
    seed: int = 0,
) -> Explanation:
    """The maximum of every bin of a region; the box is x1, y1, x2, y2 in the image's pixels."""
    example = _example(box, output_size, channels, size, seed)
    x, rois, bins, index = example
    with kernels.use(backend="reference"):
        argmax = roi_pool_forward(x, rois, bins, spatial_scale)[1]
    worked = work_out(lambda t: roi_pool(t, rois, bins, spatial_scale), {"x": x}, Draws(seed + 1).tenths)
    rows, columns = (edges[0] for edges in region_bins(rois, bins, spatial_scale, (x.shape[2], x.shape[3])))
    of = {
        place: [Source((0, place[1], *divmod(int(argmax[place]), x.shape[3])))] if argmax[place] >= 0 else []
        for place in np.ndindex(worked.y.shape)
    }
    sources = Sources(x, worked, of)
    (top, bottom), (left, right) = rows[index[2]], columns[index[3]]
    pixels: list[Index] = [(0, 0, int(h), int(w)) for h in range(top, bottom) for w in range(left, right)]
    corners = _rounded_corners(rois[0, 1:], spatial_scale)
    region = _region_size(corners)
    won = sources.largest(index, pixels) if pixels else "The bin has no pixels of the map: 0."
    return Explanation(
        "roi_pool: the largest entry of every bin of a region, whatever its size",
        "y[k,c,p,q] = max of x[c,i,j] over y1 + floor(p·h/OH) <= i < y1 + ceil((p+1)·h/OH), j likewise",
        "Girshick, Fast R-CNN, ICCV 2015, section 2.1",
        (
            Step("the box on the feature map: corners are scaled and rounded", corners),
            Step("its size: both ends count", region),
            Step(f"the bin of {at('y', index)}", _bin_equations(corners, region, example)),
            input_step(sources, index, "the bin of", pixels),
            Step(f"the winner: {at('y', index)}", (won,)),
            output_step(sources, index),
            *backward_steps(sources, index, "grad_x: each gradient goes to the entry that won its bin"),
        ),
        roi_pool_cost(x.shape, 1, tuple(max(int(each.value), 1) for each in region), bins),
    )


def explain_roi_align(
    *,
    box: Size = (8, 20, 88, 72),
    output_size: Size = 2,
    spatial_scale: float = 0.0625,
    sampling_ratio: int = 2,
    aligned: bool = False,
    channels: int = 1,
    size: Size = (6, 7),
    seed: int = 0,
) -> Explanation:
    """The mean of samples between pixels in every bin of a region; nothing is rounded."""
    check_integer("sampling_ratio", sampling_ratio)
    example = _example(box, output_size, channels, size, seed)
    x, rois, bins, index = example
    worked = work_out(
        lambda t: roi_align(t, rois, bins, spatial_scale, sampling_ratio, aligned),
        {"x": x},
        Draws(seed + 1).tenths,
    )
    grids = sampling_grids(rois, bins, spatial_scale, sampling_ratio, aligned)
    positions = (grids[0].positions(0), grids[1].positions(0))  # (OH, GH), (OW, GW)
    of = {place: _shares(place, positions, (x.shape[2], x.shape[3])) for place in np.ndindex(worked.y.shape)}
    sources = Sources(x, worked, of)
    size_on_map = (grids[0].step[0] * bins[0], grids[1].step[0] * bins[1])
    shift = " - 1/2" if aligned else ""
    corners = tuple(
        Equation(name, f"{name}·scale{shift}", f"{number(value)}·{constant(spatial_scale)}{shift}", result)
        for name, value, result in zip(
            _CORNERS, rois[0, 1:], rois[0, 1:] * spatial_scale - (0.5 if aligned else 0), strict=True
        )
    )
    return Explanation(
        "roi_align: the mean of samples between pixels in every bin; nothing is rounded",
        "y[k,c,p,q] = mean over samples of bilinear(x[c], v, u)",
        "He et al., Mask R-CNN, ICCV 2017, section 3",
        (
            Step("the box on the feature map: corners are scaled, not rounded", corners),
            Step(f"the samples of {at('y', index)}", _sample_parts(example, positions)),
            input_step(sources, index, "the pixels with a share in", [source.x for source in of[index]]),
            Step(
                f"the mean: {at('y', index)}",
                ("Shares of all samples added up, pixel by pixel:", sources.output(index)),
            ),
            output_step(sources, index),
            *backward_steps(sources, index, "grad_x: the same shares of the gradients"),
        ),
        roi_align_cost(
            x.shape, 1, tuple(max(int(np.ceil(length)), 1) for length in size_on_map), bins, sampling_ratio
        ),
    )


def _example(box: Size, output_size: Size, channels: int, size: Size, seed: int) -> _Example:
    corners = (box,) if isinstance(box, int) else box
    if len(corners) != 4:
        raise ValueError(f"--box must be x1,y1,x2,y2 like 8x20x88x72, got {'x'.join(map(str, corners))}")
    shape = check_shape4((1, channels, *arguments_shape(size)))
    bins = pair("output_size", output_size, minimum=1)
    index = (0, 0, bins[0] // 2, bins[1] // 2)
    return _Example(Draws(seed).whole(shape), np.array([[0.0, *corners]]), bins, index)


def _rounded_corners(corners: Array, spatial_scale: float) -> tuple[Equation, ...]:
    """Halves are rounded away from zero."""
    scaled = corners * spatial_scale
    rounded = np.sign(scaled) * np.floor(np.abs(scaled) + 0.5)
    return tuple(
        Equation(
            name, f"round({name}·scale)", f"round({number(value)}·{constant(spatial_scale)})", float(result)
        )
        for name, value, result in zip(_CORNERS, corners, rounded, strict=True)
    )


def _region_size(corners: tuple[Equation, ...]) -> tuple[Equation, Equation]:
    x1, y1, x2, y2 = (corner.value for corner in corners)
    return _length("h", "y", y1, y2), _length("w", "x", x1, x2)


def _length(name: str, axis: str, first: float, last: float) -> Equation:
    return Equation(
        name,
        f"max({axis}2 - {axis}1 + 1, 1)",
        f"max({number(last)} - {bracketed(first)} + 1, 1)",
        max(last - first + 1, 1),
    )


def _bin_equations(
    corners: tuple[Equation, ...], region: tuple[Equation, Equation], example: _Example
) -> tuple[Equation, ...]:
    """Where the bin begins and ends, before it is cut to the map."""
    equations = []
    for axis, (name, corner) in enumerate((("rows", corners[1]), ("columns", corners[0]))):
        place, bins, length = example.output[axis + 2], example.bins[axis], region[axis]
        letter, letters = ("p", "OH") if axis == 0 else ("q", "OW")
        start = bracketed(corner.value)
        first = corner.value + np.floor(place * (length.value / bins))
        end = corner.value + np.ceil((place + 1) * (length.value / bins))
        size = number(length.value)
        equations += [
            Equation(
                f"first of {name}",
                f"{corner.target} + floor({letter}·{length.target}/{letters})",
                f"{start} + floor({place}·{size}/{bins})",
                float(first),
            ),
            Equation(
                f"end of {name}",
                f"{corner.target} + ceil(({letter}+1)·{length.target}/{letters})",
                f"{start} + ceil(({place}+1)·{size}/{bins})",
                float(end),
            ),
        ]
    return tuple(equations)


def _sample_parts(example: _Example, positions: tuple[Array, Array]) -> tuple[str, Table]:
    """Where the bin is sampled, and what stands there."""
    plane = example.x[0, 0]
    rows, columns = positions[0][example.output[2]], positions[1][example.output[3]]
    table = []
    for v in rows:
        for u in columns:
            value = sum(weight * plane[place] for place, weight in _corners(v, u, plane.shape))
            table.append((f"({number(v)}, {number(u)})", _between(v, u, plane.shape), number(value)))
    return (
        f"{len(rows)}x{len(columns)} samples at equal distances; each is a mean of the four pixels around "
        "it, the nearer ones with the larger share",
        Table(("(row v, column u)", "between", "value"), tuple(table)),
    )


def _between(v: float, u: float, plane: tuple[int, ...]) -> str:
    """The rows and columns around a sample."""
    if not (-1 <= v <= plane[0] and -1 <= u <= plane[1]):
        return "outside: 0"
    (top, bottom), (left, right) = (
        _around(value, length) for value, length in ((v, plane[0]), (u, plane[1]))
    )
    return f"rows {top}, {bottom}; columns {left}, {right}"


def _around(value: float, length: int) -> tuple[int, int]:
    lower, upper, _, _ = neighbours(np.array([value]), length)
    return int(lower[0]), int(upper[0])


def _corners(v: float, u: float, plane: tuple[int, ...]) -> list[tuple[tuple[int, int], float]]:
    """The pixels around a sample with their shares."""
    top, bottom, a, in_rows = (part[0] for part in neighbours(np.array([v]), plane[0]))
    left, right, b, in_columns = (part[0] for part in neighbours(np.array([u]), plane[1]))
    if not (in_rows and in_columns):
        return []
    return [
        ((int(top), int(left)), float((1 - a) * (1 - b))),
        ((int(top), int(right)), float((1 - a) * b)),
        ((int(bottom), int(left)), float(a * (1 - b))),
        ((int(bottom), int(right)), float(a * b)),
    ]


def _shares(place: Index, positions: tuple[Array, Array], plane: Pair) -> list[Source]:
    """The pixels that an output is a mean of, the shares of all its samples added up."""
    rows, columns = positions[0][place[2]], positions[1][place[3]]
    shares: dict[tuple[int, int], float] = {}
    for v in rows:
        for u in columns:
            for pixel, weight in _corners(v, u, plane):
                shares[pixel] = shares.get(pixel, 0.0) + weight / max(len(rows) * len(columns), 1)
    return [
        Source((0, place[1], *pixel), share(weight)) for pixel, weight in sorted(shares.items()) if weight
    ]
