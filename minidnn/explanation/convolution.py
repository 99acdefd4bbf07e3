"""Convolution, transposed convolution and the locally connected layer, worked out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.columns import im2col
from kernels.convolution import pad_planes
from kernels.window import Window
from minidnn.costs.weighted import conv2d_cost, conv_transpose2d_cost, locally_connected2d_cost
from minidnn.explanation.arithmetic import at, size_text
from minidnn.explanation.content import Explanation, Grid, Index, Step
from minidnn.explanation.example import Draws, arguments_shape, at_plane, middle, planes, work_out
from minidnn.explanation.settings import Padding, Size
from minidnn.explanation.weighted import Product, Sums, backward_steps, output_step, product_table
from minidnn.explanation.window import output_size_equations, transposed_size_equations
from minidnn.functional.convolution import conv2d, conv_transpose2d, convolution_window
from minidnn.functional.locally_connected import locally_connected2d

_COLUMNS = 12  # of the matrix of columns, around the one that is worked out


def explain_conv2d(
    *,
    in_channels: int = 2,
    out_channels: int = 2,
    kernel_size: Size = 2,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    bias: bool = True,
    size: Size = (3, 4),
    seed: int = 0,
) -> Explanation:
    """A convolution of one small image."""
    height, width = arguments_shape(size)
    shape = (1, in_channels, height, width)
    cost = conv2d_cost(shape, out_channels, kernel_size, stride, padding, dilation, groups, bias)
    window = convolution_window(kernel_size, stride, padding, dilation)
    offsets = (out_channels,) if bias else None
    arrays = _arrays(shape, (out_channels, in_channels // groups, *window.kernel), offsets, seed)
    draws = Draws(seed + 1)
    worked = work_out(
        lambda x, weight, bias: conv2d(x, weight, bias, stride, window.padding, dilation, groups),
        arrays,
        draws.tenths,
    )

    def products(output: Index) -> list[Product]:
        channel = output[1] // (out_channels // groups) * (in_channels // groups)
        return [
            Product((0, channel + c, h, w), (output[1], c, p, q))
            for c in range(in_channels // groups)
            for (p, q), (h, w) in _seen(window, output[2:], (height, width))
        ]

    sums = Sums(arrays, worked, products, lambda output: (output[1],))
    index = middle(worked.y.shape)
    forward = (
        Step("the output's size", output_size_equations(window, (height, width))),
        _window_step(sums, window, index),
        _columns_step(sums, window, groups, index),
        Step(
            f"the products and the sum: {at('y', index)}",
            (product_table(sums, index), sums.output(index)),
        ),
        output_step(sums, index),
    )
    return Explanation(
        _title(in_channels, out_channels, groups),
        "y[n,o,i,j] = b[o] + sum over c,p,q of w[o,c,p,q] · x[n,c,i·SH+p·DH-PH,j·SW+q·DW-PW]",
        "LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86, 1998; "
        "columns: Chellapilla et al., High performance convolutional neural networks, IWFHR 2006",
        forward + backward_steps(sums, index),
        cost,
    )


def explain_depthwise_conv2d(
    *,
    in_channels: int = 2,
    kernel_size: Size = 2,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    bias: bool = True,
    size: Size = (3, 4),
    seed: int = 0,
) -> Explanation:
    """A convolution with one filter per channel: groups = in_channels."""
    return explain_conv2d(
        in_channels=in_channels,
        out_channels=in_channels,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=in_channels,
        bias=bias,
        size=size,
        seed=seed,
    )


def explain_conv_transpose2d(
    *,
    in_channels: int = 1,
    out_channels: int = 1,
    kernel_size: Size = 3,
    stride: Size = 2,
    padding: Size = 1,
    output_padding: Size = 0,
    groups: int = 1,
    bias: bool = True,
    dilation: Size = 1,
    size: Size = (2, 3),
    seed: int = 0,
) -> Explanation:
    """A transposed convolution of one small image."""
    height, width = arguments_shape(size)
    shape = (1, in_channels, height, width)
    cost = conv_transpose2d_cost(
        shape, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation
    )
    window = Window.of(kernel_size, stride, padding, dilation)
    offsets = (out_channels,) if bias else None
    arrays = _arrays(shape, (in_channels, out_channels // groups, *window.kernel), offsets, seed)
    worked = work_out(
        lambda x, weight, bias: conv_transpose2d(
            x, weight, bias, stride, padding, output_padding, groups, dilation
        ),
        arrays,
        Draws(seed + 1).tenths,
    )
    spread: dict[Index, list[Product]] = {index: [] for index in np.ndindex(worked.y.shape)}
    for c, i, j in np.ndindex(in_channels, height, width):
        group = c // (in_channels // groups)
        for o in range(out_channels // groups):
            for (p, q), (h, w) in _seen(window, (i, j), worked.y.shape[2:]):
                output = (0, group * (out_channels // groups) + o, h, w)
                spread[output].append(Product((0, c, i, j), (c, o, p, q)))
    sums = Sums(arrays, worked, lambda output: spread[output], lambda output: (output[1],))
    index = max(spread, key=lambda output: len(spread[output]))
    used = [each.x for each in spread[index]]
    forward = (
        Step("the output's size", transposed_size_equations(window, (height, width), output_padding)),
        Step(
            f"the input, {size_text(shape)}, and its filters",
            (
                "Every entry of x is spread over a patch of y: entry (i, j) times the filter, added at row "
                f"i·SH-PH, column j·SW-PW. marked: the entries whose patches hold {at('y', index)}",
                planes("x", sums.x, used),
                planes("w", sums.weight, [each.weight for each in spread[index]]),
            ),
        ),
        Step(f"the products and the sum: {at('y', index)}", (product_table(sums, index), sums.output(index))),
        output_step(sums, index),
    )
    return Explanation(
        "conv_transpose2d: every input element spreads its filters over a patch",
        "y[n,o,h,w] = b[o] + sum of x[n,c,i,j] · w[c,o,p,q] over i·SH+p·DH-PH = h, j·SW+q·DW-PW = w",
        "Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, chapter 4",
        forward + backward_steps(sums, index),
        cost,
    )


def explain_locally_connected2d(
    *,
    in_channels: int = 1,
    out_channels: int = 1,
    kernel_size: Size = 2,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    bias: bool = True,
    size: Size = (3, 4),
    seed: int = 0,
) -> Explanation:
    """A convolution without weight sharing."""
    height, width = arguments_shape(size)
    shape = (1, in_channels, height, width)
    cost = locally_connected2d_cost(shape, out_channels, kernel_size, stride, padding, dilation, bias)
    window = Window.of(kernel_size, stride, padding, dilation)
    positions = window.output_size((height, width))
    offsets = (out_channels, *positions) if bias else None
    arrays = _arrays(shape, (*positions, out_channels, in_channels, *window.kernel), offsets, seed)
    worked = work_out(
        lambda x, weight, bias: locally_connected2d(x, weight, bias, stride, padding, dilation),
        arrays,
        Draws(seed + 1).tenths,
    )

    def products(output: Index) -> list[Product]:
        _, o, i, j = output
        return [
            Product((0, c, h, w), (i, j, o, c, p, q))
            for c in range(in_channels)
            for (p, q), (h, w) in _seen(window, (i, j), (height, width))
        ]

    sums = Sums(arrays, worked, products, lambda output: output[1:])
    index = middle(worked.y.shape)
    forward = (
        Step("the output's size", output_size_equations(window, (height, width))),
        _window_step(sums, window, index),
        Step(
            f"the products and the sum: {at('y', index)}",
            (
                "Every place has filters of its own: w[i,j,o,c,p,q].",
                product_table(sums, index),
                sums.output(index),
            ),
        ),
        output_step(sums, index),
    )
    return Explanation(
        "locally_connected2d: a convolution whose filters differ from place to place",
        "y[n,o,i,j] = b[o,i,j] + sum over c,p,q of w[i,j,o,c,p,q] · x[n,c,i·SH+p·DH-PH,j·SW+q·DW-PW]",
        "Taigman et al., DeepFace, CVPR 2014, section 3",
        forward + backward_steps(sums, index),
        cost,
    )


def _arrays(shape: Index, weight: Index, offsets: Index | None, seed: int) -> Mapping[str, Array | None]:
    """Input, filters, and a bias of the shape `offsets` unless it is None."""
    draws = Draws(seed)
    x, filters = draws.whole(shape), draws.halves(weight)
    return {"x": x, "weight": filters, "bias": None if offsets is None else draws.halves(offsets)}


def _title(in_channels: int, out_channels: int, groups: int) -> str:
    if groups == 1:
        return "conv2d: every output is a filter's sum of products with the window under it"
    if groups == in_channels:
        return "depthwise conv2d: every channel has filters of its own (groups = in_channels)"
    per_group = f"{in_channels // groups} to {out_channels // groups}"
    return f"grouped conv2d: {groups} groups of channels, each convolved on its own, {per_group} channels"


def _seen(window: Window, position: Any, size: Any) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """The taps of a window at an output position that lie inside, each with the entry under it."""
    pairs = []
    for p, q in np.ndindex(window.kernel):
        h = position[0] * window.stride[0] + p * window.dilation[0] - window.padding[0][0]
        w = position[1] * window.stride[1] + q * window.dilation[1] - window.padding[1][0]
        if 0 <= h < size[0] and 0 <= w < size[1]:
            pairs.append(((p, q), (h, w)))
    return pairs


def _window_step(sums: Sums, window: Window, index: Index) -> Step:
    """The input in its padding, the window of an output marked."""
    padded = pad_planes(sums.x, window)
    (top, _), (left, _) = window.padding
    corner = index[2] * window.stride[0], index[3] * window.stride[1]
    marks = [
        (0, c, corner[0] + p * window.dilation[0], corner[1] + q * window.dilation[1])
        for c in sorted({each.x[1] for each in sums.products[index]})
        for p, q in np.ndindex(window.kernel)
    ]
    grids = planes("x", padded, marks)
    note = f"marked: the window of {at('y', index)}"
    if padded.shape != sums.x.shape:
        note += ", which may reach into the zeros of the padding"
        grids = tuple(_renumbered(grid, top, left) for grid in grids)
    return Step(f"the input, {size_text(sums.x.shape)}, and the window", (note, grids))


def _renumbered(grid: Grid, top: int, left: int) -> Grid:
    """Row and column names that count from the input's first entry, not the padding's."""
    return Grid(
        grid.name,
        grid.rows,
        grid.marked,
        tuple(str(int(name) - top) for name in grid.row_names),
        tuple(str(int(name) - left) for name in grid.column_names),
    )


def _columns_step(sums: Sums, window: Window, groups: int, index: Index) -> Step:
    """The windows as columns of a matrix, and the filters as rows of another one."""
    positions = sums.worked.y.shape[2:]
    per_group = sums.weight.shape[1]
    group = index[1] // (sums.weight.shape[0] // groups)
    first = group * per_group
    columns = im2col(sums.x[:, first : first + per_group], window, (positions[0], positions[1]))
    matrix = columns.reshape(-1, positions[0] * positions[1])  # (C/G KH KW, OH OW)
    here = index[2] * positions[1] + index[3]
    start = max(0, min(here - _COLUMNS // 2, matrix.shape[1] - _COLUMNS))
    shown = matrix[:, start : start + _COLUMNS]
    taps = [f"{first + c},{p},{q}" for c, p, q in np.ndindex(per_group, *window.kernel)]
    places = [f"{i},{j}" for i, j in np.ndindex(positions[0], positions[1])]
    of_group = slice(group * sums.weight.shape[0] // groups, (group + 1) * sums.weight.shape[0] // groups)
    filters = sums.weight[of_group].reshape(-1, matrix.shape[0])  # (O/G, C/G KH KW)
    rows = Grid(
        "W",
        _rows(filters),
        frozenset((index[1] - of_group.start, column) for column in range(matrix.shape[0])),
        tuple(f"o={o}" for o in range(of_group.start, of_group.stop)),
        tuple(taps),
    )
    of = f" of group {group}" if groups > 1 else ""
    last = start + shown.shape[1] - 1
    cut = f" (columns {start} to {last} of {matrix.shape[1]})" if shown.size < matrix.size else ""
    return Step(
        "the windows become columns, the filters rows: Y = W X + b",
        (
            f"X{of} has a row for each channel c and tap p,q, and a column for each output position i,j{cut}",
            (
                Grid(
                    at_plane("X", (group,) if groups > 1 else ()),
                    _rows(shown),
                    frozenset((row, here - start) for row in range(matrix.shape[0])),
                    tuple(taps),
                    tuple(places[start : start + _COLUMNS]),
                ),
            ),
            (rows,),
        ),
    )


def _rows(matrix: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in matrix)
