"""Interpolation and padding, worked out."""

from __future__ import annotations

import numpy as np

from kernels.interpolation.coordinates import linear_sources, nearest_source
from kernels.padding.reference import source as padding_source
from minidnn.costs.elementwise import copy_cost
from minidnn.costs.weighted import check_shape4
from minidnn.explanation.arithmetic import at, number, share, size_text
from minidnn.explanation.content import Explanation, Index, Step
from minidnn.explanation.example import Draws, arguments_shape, middle, planes, work_out
from minidnn.explanation.selection import Source, Sources, backward_steps, input_step, output_step
from minidnn.explanation.settings import Size
from minidnn.functional.interpolation import interpolate
from minidnn.functional.padding import pad


def explain_interpolate(
    *,
    output_size: Size = (4, 6),
    mode: str = "bilinear",
    align_corners: bool = False,
    channels: int = 1,
    size: Size = (2, 3),
    seed: int = 0,
) -> Explanation:
    """Resizing of one small image."""
    shape = check_shape4((1, channels, *arguments_shape(size)))
    target = arguments_shape(output_size)
    x = Draws(seed).whole(shape)
    corners = align_corners if mode == "bilinear" or align_corners else None
    worked = work_out(
        lambda t: interpolate(t, target, mode=mode, align_corners=corners), {"x": x}, Draws(seed + 1).tenths
    )
    of = {
        index: _bilinear(index, shape, target, align_corners)
        if mode == "bilinear"
        else [_nearest(index, shape, target)]
        for index in np.ndindex(worked.y.shape)
    }
    sources = Sources(x, worked, of)
    index = middle(worked.y.shape)
    if mode == "bilinear":
        formula = "y[i,j] = (1-a)(1-b)·x[h,w] + (1-a)b·x[h,w+1] + a(1-b)·x[h+1,w] + ab·x[h+1,w+1]"
        scale = "(i + 1/2)·H/OH - 1/2" if not align_corners else "i·(H - 1)/(OH - 1)"
        note = (
            f"h + a = {scale}, at least 0: the whole part h is the row above, the rest a the share of the "
            "next one; w + b likewise"
        )
    else:
        formula, note = (
            "y[i,j] = x[floor(i·H/OH),floor(j·W/OW)]",
            "Every output copies the entry its place falls into.",
        )
    forward = (
        input_step(sources, index, "what goes into", [source.x for source in of[index]]),
        Step(f"one output: {at('y', index)}", (note, sources.output(index))),
        output_step(sources, index),
    )
    return Explanation(
        f"interpolate ({mode}): {shape[2]}x{shape[3]} becomes {target[0]}x{target[1]}",
        formula,
        "torch.nn.functional.interpolate, whose coordinates these are",
        forward + backward_steps(sources, index, "grad_x: the same shares, of the gradients it went into"),
        copy_cost(shape, worked.y.shape, *((7, 8) if mode == "bilinear" else (0, 1))),
    )


def explain_pad(
    *,
    padding: Size = (1, 2, 1, 0),
    mode: str = "reflect",
    value: float = 0.0,
    channels: int = 1,
    size: Size = (2, 3),
    seed: int = 0,
) -> Explanation:
    """A frame around a small image."""
    shape = check_shape4((1, channels, *arguments_shape(size)))
    sides = (padding,) * 4 if isinstance(padding, int) else padding
    if len(sides) != 4:
        raise ValueError(f"--padding must be left,right,top,bottom like 1,2,1,0, got {size_text(sides)}")
    x = Draws(seed).whole(shape)
    constant = value if mode == "constant" else None
    worked = work_out(lambda t: pad(t, sides, mode, constant), {"x": x}, Draws(seed + 1).tenths)
    of: dict[Index, list[Source]] = {}
    for index in np.ndindex(worked.y.shape):
        row = padding_source(index[2] - sides[2], shape[2], mode)
        column = padding_source(index[3] - sides[0], shape[3], mode)
        of[index] = [] if row is None or column is None else [Source((*index[:2], row, column))]
    sources = Sources(x, worked, of)
    index = next(index for index in np.ndindex(worked.y.shape) if of[index])
    where = {
        "constant": f"{number(value)} stands in the frame",
        "reflect": "the frame mirrors the image, the edge itself is not repeated",
        "replicate": "the frame repeats the edge",
    }[mode]
    forward = (
        input_step(sources, index, "what is shown at", [source.x for source in of[index]]),
        Step(
            f"the output y, {size_text(worked.y.shape)}",
            (
                f"(left, right, top, bottom) = {sides}: {where}",
                sources.output(index),
                planes("y", worked.y, [index]),
            ),
        ),
    )
    return Explanation(
        f"pad ({mode}): a frame around every plane",
        "y[n,c,i,j] = x[n,c,source(i - top),source(j - left)], or the constant where there is no source",
        "torch.nn.functional.pad, whose modes these are",
        forward + backward_steps(sources, index, "grad_x: the gradients of all places that show it"),
        copy_cost(shape, worked.y.shape, 0, 0 if mode == "constant" else 1),
    )


def _nearest(index: Index, shape: Index, target: Index) -> Source:
    place = (nearest_source(index[axis + 2], shape[axis + 2], target[axis], None) for axis in (0, 1))
    return Source((*index[:2], *place))


def _bilinear(index: Index, shape: Index, target: Index, align_corners: bool) -> list[Source]:
    """The four entries around an output's coordinate, those without weight left out."""
    (top, bottom, a), (left, right, b) = (
        linear_sources(index[axis + 2], shape[axis + 2], target[axis], None, align_corners) for axis in (0, 1)
    )
    shares: dict[tuple[int, int], float] = {}
    for h, down in ((top, 1 - a), (bottom, a)):
        for w, across in ((left, 1 - b), (right, b)):  # at the edge both neighbours are the same entry
            shares[h, w] = shares.get((h, w), 0.0) + down * across
    return [Source((*index[:2], *place), share(weight)) for place, weight in shares.items() if weight]
