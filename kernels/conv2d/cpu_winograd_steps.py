"""The transforms of Winograd's convolution: of the filters, and of tiles before and after the product."""

from __future__ import annotations

from typing import Any

from kernels.conv2d.cpu_winograd_plan import Plan, ceil_divide, tile_place
from kernels.conv2d.cpu_winograd_transforms import (
    make_transform_filter,
    make_transform_input,
    make_transform_output,
)
from kernels.conv2d.winograd import TAPS
from kernels.cpu.compilation import compiled, parallel
from kernels.cpu.simd import vector_lanes

transform_input_2, transform_input_4 = make_transform_input(2), make_transform_input(4)
transform_output_2, transform_output_4 = make_transform_output(2), make_transform_output(4)
transform_filter_2, transform_filter_4 = make_transform_filter(2), make_transform_filter(4)


@parallel
def transform_filters(
    task: int,
    tasks: int,
    m: int,
    groups: int,
    outputs: int,
    channels: int,
    weight: Any,
    output_step: int,
    channel_step: int,
    turned: bool,
    u: Any,
    u_step: int,
) -> None:
    """U = G g G^T; outputs beyond the last repeat it.

    The filter from channel c to output o of a group begins at o output_step + c channel_step.
    """
    lanes = vector_lanes(u)
    pairs = ceil_divide(outputs, 2 * lanes)
    jobs = groups * pairs * channels
    for job in range(jobs * task // tasks, jobs * (task + 1) // tasks):
        group, pair, c = job // (pairs * channels), job // channels % pairs, job % channels
        source = group * outputs * channels * TAPS * TAPS + c * channel_step
        target = group * (m + 2) * (m + 2) * u_step + (pair * channels + c) * 2 * lanes
        for half in range(2):
            o = min(pair * 2 * lanes + half * lanes, outputs - 1)
            first, to = source + o * output_step, target + half * lanes
            if m == 4:
                transform_filter_4(weight, first, outputs - o, output_step, turned, u, to, u_step)
            else:
                transform_filter_2(weight, first, outputs - o, output_step, turned, u, to, u_step)


@compiled
def bits_between(first: int, last: int) -> int:
    """Return the integer whose bits from `first` to before `last` are set."""
    first = max(first, 0)
    return (1 << last) - (1 << first) if first < last else 0


@compiled(borrowing=True)
def transform_inputs(plan: Plan, group: int, first: int, last: int, x: Any, v: Any, v_at: int) -> None:
    """Write V of the tiles from `first` to before `last`; the first tile's at v[v_at]."""
    lanes = vector_lanes(x)
    size, plane = plan.m + 2, plan.height * plan.width
    for block in range(ceil_divide(plan.channels, lanes)):
        channels = min(lanes, plan.channels - block * lanes)
        target = v_at + block * plan.chunk * lanes
        for tile in range(first, last):
            n, row, column = tile_place(plan, tile)
            row, column = row - plan.top, column - plan.left
            source = ((n * plan.groups + group) * plan.channels + block * lanes) * plane
            source += row * plan.width + column
            visible = bits_between(-column, min(size, plan.width - column))
            if plan.m == 4:
                transform_input_4(
                    *(x, source, channels, plane, plan.width, -row, plan.height - row, visible),
                    *(v, target, plan.v_step),
                )
            else:
                transform_input_2(
                    *(x, source, channels, plane, plan.width, -row, plan.height - row, visible),
                    *(v, target, plan.v_step),
                )
            target += lanes


@compiled(borrowing=True)
def transform_outputs(
    plan: Plan,
    group: int,
    first: int,
    last: int,
    first_pair: int,
    last_pair: int,
    products: Any,
    products_at: int,
    bias: Any,
    low: Any,
    high: Any,
    y: Any,
) -> None:
    """y of the tiles from `first` to before `last`, for the output channels of some pairs of vectors."""
    lanes = vector_lanes(y)
    plane = plan.out_height * plan.out_width
    padded = ceil_divide(plan.outputs, 2 * lanes) * 2 * lanes
    for block in range(2 * first_pair, min(2 * last_pair, ceil_divide(plan.outputs, lanes))):
        channels = min(lanes, plan.outputs - block * lanes)
        source = products_at + block * plan.chunk * lanes
        bias_at = group * padded + block * lanes
        for tile in range(first, last):
            n, row, column = tile_place(plan, tile)
            target = ((n * plan.groups + group) * plan.outputs + block * lanes) * plane
            target += row * plan.out_width + column
            rows, columns = min(plan.m, plan.out_height - row), min(plan.m, plan.out_width - column)
            if plan.m == 4:
                transform_output_4(
                    *(products, source, plan.m_step, bias, bias_at, low, high),
                    *(y, target, channels, plane, plan.out_width, rows, columns),
                )
            else:
                transform_output_2(
                    *(products, source, plan.m_step, bias, bias_at, low, high),
                    *(y, target, channels, plane, plan.out_width, rows, columns),
                )
            source += lanes
