"""Pooling over windows, bins and whole planes, and its reversal, worked out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

import kernels
from kernels.array import Array
from kernels.window import Window
from minidnn.costs import LayerCost
from minidnn.costs.pooling import avg_pool2d_cost, max_pool2d_cost
from minidnn.costs.weighted import check_shape4
from minidnn.explanation.arithmetic import at, number
from minidnn.explanation.content import Equation, Explanation, Index, Step
from minidnn.explanation.example import Draws, arguments_shape, middle, work_out
from minidnn.explanation.selection import Source, Sources, backward_steps, input_step, output_step
from minidnn.explanation.settings import Size
from minidnn.explanation.window import output_size_equations
from minidnn.functional.pooling import (
    avg_pool2d,
    max_pool2d,
)
from minidnn.tensor import Tensor

SCHERER = "Scherer et al., Evaluation of pooling operations, ICANN 2010, section 3.2"
_LECUN = "LeCun et al., Gradient-based learning applied to document recognition, 1998, section II-B"
_HE = "He et al., Spatial pyramid pooling in deep convolutional networks, 2014, section 2.2"
_WINNER = "grad_x: each gradient goes to the entry that won, and no other"
_SHARES = "grad_x: each entry gets its share of every window that it lay in"


class Pooling(NamedTuple):
    """A pooling to be explained.

    Attributes:
        title: the layer and what it does.
        formula: of an output.
        paper: the source.
        region: what an output looks at, "window" or "bin".
        cost: what it costs.
    """

    title: str
    formula: str
    paper: str
    region: str
    cost: LayerCost


def explain_max_pool2d(
    *,
    kernel_size: Size = 2,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    channels: int = 1,
    size: Size = (4, 6),
    seed: int = 0,
) -> Explanation:
    """Maximum pooling of one small image."""
    shape = image_shape(channels, size)
    window = Window.of(kernel_size, stride_or_kernel(kernel_size, stride), padding, dilation, ceil_mode)
    cost = max_pool2d_cost(shape, kernel_size, stride, padding, dilation, ceil_mode)
    example = Pooling(
        "max_pool2d: the largest entry of every window",
        "y[n,c,i,j] = max over p,q of x[n,c,i·SH+p·DH-PH,j·SW+q·DW-PW]",
        SCHERER,
        "window",
        cost,
    )
    x = Draws(seed).whole(shape)
    sizes = (Step("the output's size", output_size_equations(window, (shape[2], shape[3]))),)
    return sized(
        explain_maximum(
            example,
            x,
            seed,
            lambda t: max_pool2d(t, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True),
            lambda index: _under(window, index, shape),
        ),
        sizes,
    )


def explain_avg_pool2d(
    *,
    kernel_size: Size = 2,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    channels: int = 1,
    size: Size = (4, 6),
    seed: int = 0,
) -> Explanation:
    """Average pooling of one small image."""
    shape = image_shape(channels, size)
    window = Window.of(kernel_size, stride_or_kernel(kernel_size, stride), padding, 1, ceil_mode)
    example = Pooling(
        "avg_pool2d: the mean of every window",
        "y[n,c,i,j] = sum over p,q of x[n,c,i·SH+p-PH,j·SW+q-PW] / d,  d = entries of the window",
        _LECUN,
        "window",
        avg_pool2d_cost(shape, kernel_size, stride, padding, ceil_mode),
    )
    sizes = (Step("the output's size", output_size_equations(window, (shape[2], shape[3]))),)
    return sized(
        explain_average(
            example,
            Draws(seed).whole(shape),
            seed,
            lambda x: avg_pool2d(x, kernel_size, stride, padding, ceil_mode, count_include_pad),
            lambda index: _under(window, index, shape),
            lambda index: _divisor(window, index, shape) if count_include_pad else 0,
        ),
        sizes,
    )


def sized(explanation: Explanation, first: Sequence[Step]) -> Explanation:
    """The explanation with steps before its own."""
    return replace(explanation, steps=(*first, *explanation.steps))


def explain_maximum(
    example: Pooling,
    x: Array,
    seed: int,
    pool: Callable[[Tensor], tuple[Tensor, Tensor]],
    seen: Callable[[Index], list[Index]],
) -> Explanation:
    """What wins each region, and where its gradient goes."""
    with kernels.use(backend="reference"):
        winners = pool(Tensor(x))[1].numpy()
    worked = work_out(lambda t: pool(t)[0], {"x": x}, Draws(seed + 1).tenths)
    of = {
        index: [Source((*index[:2], *divmod(int(winners[index]), x.shape[3])))]
        for index in np.ndindex(worked.y.shape)
    }
    sources = Sources(x, worked, of)
    index = middle(worked.y.shape)
    winner, candidates = of[index][0].x, seen(index)
    ties = sum(x[place] == x[winner] for place in candidates)
    said = f"{at('x', winner)} wins" + (f" (the first of {ties} equal ones)" if ties > 1 else "")
    forward = (
        input_step(sources, index, f"the {example.region} of", candidates),
        Step(
            f"the winner: {at('y', index)}",
            (
                sources.largest(index, candidates),
                f"{said}; its index {int(winners[index])} = {winner[2]}·{x.shape[3]} + {winner[3]} "
                "is kept for the backward pass",
            ),
        ),
        output_step(sources, index),
    )
    steps = forward + backward_steps(sources, index, _WINNER)
    return Explanation(example.title, example.formula, example.paper, steps, example.cost)


def explain_average(
    example: Pooling,
    x: Array,
    seed: int,
    pool: Callable[[Tensor], Tensor],
    seen: Callable[[Index], list[Index]],
    divisor: Callable[[Index], int],
) -> Explanation:
    """What each region averages; a divisor of 0 stands for the number of entries."""
    worked = work_out(pool, {"x": x}, Draws(seed + 1).tenths)
    of = {}
    for index in np.ndindex(worked.y.shape):
        entries = seen(index)
        share = f"1/{divisor(index) or len(entries)}"
        of[index] = [Source(place, share) for place in entries]
    sources = Sources(x, worked, of)
    index = middle(worked.y.shape)
    entries = seen(index)
    added = " + ".join(number(x[place]) for place in entries).replace("+ -", "- ")
    mean = Equation(
        at("y", index),
        f"(sum of {len(entries)} entries) / {divisor(index) or len(entries)}",
        f"({added}) / {divisor(index) or len(entries)}",
        float(worked.y[index]),
    )
    forward = (
        input_step(sources, index, f"the {example.region} of", entries),
        Step(f"the mean: {at('y', index)}", (mean,)),
        output_step(sources, index),
    )
    steps = forward + backward_steps(sources, index, _SHARES)
    return Explanation(example.title, example.formula, example.paper, steps, example.cost)


def image_shape(channels: int, size: Size) -> tuple[int, int, int, int]:
    """One image's (1, C, H, W), every length at least 1."""
    return check_shape4((1, channels, *arguments_shape(size)))


def _under(window: Window, index: Index, shape: Sequence[int]) -> list[Index]:
    """The entries under the window of an output, without those in the padding."""
    rows, columns = (
        [
            place
            for tap in range(window.kernel[axis])
            if 0
            <= (
                place := index[axis + 2] * window.stride[axis]
                + tap * window.dilation[axis]
                - window.padding[axis][0]
            )
            < shape[axis + 2]
        ]
        for axis in (0, 1)
    )
    return [(*index[:2], row, column) for row in rows for column in columns]


def _divisor(window: Window, index: Index, shape: Sequence[int]) -> int:
    """Taps of an average's window that lie on the input or its padding, not beyond."""
    counts = []
    for axis in (0, 1):
        before, after = window.padding[axis]
        start = index[axis + 2] * window.stride[axis] - before
        counts.append(min(start + window.kernel[axis], shape[axis + 2] + after) - start)
    return counts[0] * counts[1]


def stride_or_kernel(kernel_size: Size, stride: Size | None) -> Size:
    """The stride, which is the kernel's size if it is not given."""
    return kernel_size if stride is None else stride
