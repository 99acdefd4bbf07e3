"""The convolution's weight gradient as a matrix product whose columns are never built.

    dW[k, o] = sum_p X[k, p] dY[p, o],   k = (c, p, q), p = (n, i, j)

A tile of rows k times output channels o stays in registers while the pixels p run: `add_tile` of
`kernels/conv2d/cpu_patches.py`, which reads X out of patches of x and dY out of a panel of transposed rows.

The pixels are taken in blocks of whole output rows, numbered through the batch. Every block is summed up
by itself and then added to the result, which keeps rounding errors small. The blocks depend on the shape
alone, so that the bits do not depend on how output and input channels are shared out among the tasks.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array, Shape4
from kernels.conv2d.cpu_geometry import Geometry, describe
from kernels.conv2d.cpu_patches import PatchLayout, add_tile, fill_patch, locate_positions
from kernels.cpu.compilation import compiled, contiguous, parallel
from kernels.cpu.gemm import ROWS, VECTORS
from kernels.cpu.records import as_numbers, as_record
from kernels.cpu.simd import lanes_of, vector_lanes
from kernels.cpu.transposition import transpose_block
from kernels.memory import empty
from kernels.threads import get_num_threads
from kernels.window import Window

# Pixels per block: their rows of dY, one tile wide, stay near the first-level cache.
BLOCK = 160
# Bytes of the second-level cache for a task's part of the result, and for its patch of the input.
RESULT_BYTES, PATCH_BYTES = 384 * 1024, 256 * 1024
# A result of at most so many elements is made of the sums of so many parts of the pixels.
SMALL_RESULT, PARTS = 8192, 8
# Multiply-adds that are worth a second thread.
SMALLEST_TASK = 1 << 17


class Plan(NamedTuple):
    """How the work is cut into items, the units that tasks share out.

    Attributes:
        rows_per_block: output rows per block of pixels.
        parts: into how many parts the blocks are cut, each with its own result.
        channel_cuts: into how many ranges a group's input channels are cut.
        output_cuts: into how many ranges a group's output channels, in vectors, are cut.
        patch_width: the input columns that a block needs.
        patch_plane: elements between the channels of a patch: the most rows that a block needs, and a
            vector by which writing may overrun them.
    """

    rows_per_block: int
    parts: int
    channel_cuts: int
    output_cuts: int
    patch_width: int
    patch_plane: int


def make_plan(geometry: Geometry, lanes: int, itemsize: int, tasks: int) -> Plan:
    """Return the cheapest cuts for which a task's memory stays in its caches. Only cuts depend on `tasks`."""
    g = geometry
    taps = g.kernel_height * g.kernel_width
    rows_per_block = max(1, min(g.batch * g.out_height, BLOCK // g.out_width))
    blocks = -(-g.batch * g.out_height // rows_per_block)
    small = g.groups * g.outputs * g.channels * taps <= SMALL_RESULT
    parts = min(PARTS, blocks) if small else 1
    extent = (g.kernel_height - 1) * g.dilation_down + 1
    images = min(rows_per_block, 2 + (rows_per_block - 2) // g.out_height) if rows_per_block > 1 else 1
    patch_rows = max((rows_per_block - pieces) * g.stride_down + pieces * extent for pieces in (1, images))
    patch_width = (g.out_width - 1) * g.stride_across + (g.kernel_width - 1) * g.dilation_across + 1
    vectors = -(-g.outputs // lanes)
    patch_plane = patch_rows * patch_width + lanes
    pixels = rows_per_block * g.out_width

    def cost(channel_cuts: int, output_cuts: int) -> float:
        """The time of the task that has most to do, in multiply-adds of vectors per block of pixels."""
        channels, wide = -(-g.channels // channel_cuts), -(-vectors // output_cuts)
        item = float(wide * -(-channels * taps // ROWS) * ROWS * pixels)  # the product
        item += 0.5 * lanes * wide * pixels  # transposing dY
        item += 0.25 * channels * patch_plane  # copying the patch
        if channels * taps * wide * lanes * itemsize > RESULT_BYTES and output_cuts < vectors:
            item *= 2
        if channels * patch_plane * itemsize > PATCH_BYTES and channel_cuts < g.channels:
            item *= 2
        return -(-parts * g.groups * channel_cuts * output_cuts // tasks) * item

    cuts = [
        (channel_cuts, output_cuts) for channel_cuts in _cuts(g.channels) for output_cuts in _cuts(vectors)
    ]
    channel_cuts, output_cuts = min(cuts, key=lambda cut: cost(*cut))
    return Plan(rows_per_block, parts, channel_cuts, output_cuts, patch_width, patch_plane)


class Division(NamedTuple):
    """How `correlate_weight` is launched.

    Attributes:
        tasks: for how many the work is cut.
        shape: of the result (parts, G O, C, KH, KW).
        plan: the numbers of `Plan`.
        geometry: the numbers of `Geometry`.
    """

    tasks: int
    shape: tuple[int, ...]
    plan: Array
    geometry: Array


@lru_cache(maxsize=1024)
def divide(
    input_shape: Shape4, outputs: int, window: Window, groups: int, dtype: np.dtype[Any], threads: int
) -> Division:
    """Divide the work on this problem among a number of threads."""
    g = describe(input_shape, outputs, window, groups)
    taps = math.prod(window.kernel)
    steps = g.batch * outputs * g.out_height * g.out_width * g.channels * taps
    tasks = max(1, min(threads, steps // SMALLEST_TASK))
    plan = make_plan(g, lanes_of(dtype), dtype.itemsize, tasks)
    return Division(tasks, (plan.parts, outputs, g.channels, *window.kernel), as_numbers(plan), as_numbers(g))


def _cuts(length: int) -> list[int]:
    """Into how many ranges of at most 1, 2, 3, ... a length can be cut."""
    return sorted({-(-length // most) for most in range(1, length + 1)})


class Item(NamedTuple):
    """A unit of work.

    Attributes:
        part: which of the plan's parts of the pixels.
        group: which of the groups.
        first_channel, last_channel: of the group's input channels.
        first_vector, last_vector: of the vectors of the group's output channels.
    """

    part: int
    group: int
    first_channel: int
    last_channel: int
    first_vector: int
    last_vector: int


@compiled
def item_of(g: Geometry, plan: Plan, lanes: int, number: int) -> Item:
    """The item of this number."""
    across, down = number % plan.output_cuts, number // plan.output_cuts % plan.channel_cuts
    rest, vectors = number // (plan.output_cuts * plan.channel_cuts), (g.outputs + lanes - 1) // lanes
    return Item(
        *(rest // g.groups, rest % g.groups),
        *(g.channels * down // plan.channel_cuts, g.channels * (down + 1) // plan.channel_cuts),
        *(vectors * across // plan.output_cuts, vectors * (across + 1) // plan.output_cuts),
    )


class Panel(NamedTuple):
    """Output channels of an item that fit into a tile.

    Attributes:
        o: the first, counted in the group.
        outputs: how many.
        width: the same in whole vectors.
        at: where the panel begins in the item's result (panels, rows, width).
    """

    o: int
    outputs: int
    width: int
    at: int


@compiled
def panel_of(g: Geometry, item: Item, padded_rows: int, lanes: int, number: int) -> Panel:
    """The item's panel of this number."""
    wide = item.last_vector - item.first_vector
    panels = panels_of(item)
    begin, end = wide * number // panels, wide * (number + 1) // panels
    o, width = (item.first_vector + begin) * lanes, (end - begin) * lanes
    return Panel(o, min(width, g.outputs - o), width, padded_rows * begin * lanes)


@compiled
def panels_of(item: Item) -> int:
    """How many panels an item has."""
    return (item.last_vector - item.first_vector + VECTORS - 1) // VECTORS


class Workspace(NamedTuple):
    """A task's memory.

    Attributes:
        starts: for every row k of the item where its tap's element lies from a pixel's place in the patch.
        offsets: the pixels' places.
        in_order: 0 .. ROWS - 1, the places of a tile's rows.
        patch: the input of a block of pixels.
        panel: dY of the block, (pixels, width).
        result: the item's sums, panel by panel (rows, width).
    """

    starts: Any
    offsets: Any
    in_order: Any
    patch: Any
    panel: Any
    result: Any


@compiled
def make_workspace(g: Geometry, plan: Plan, x: Any) -> Workspace:
    """Make room for the largest item."""
    lanes = vector_lanes(x)
    channels = (g.channels + plan.channel_cuts - 1) // plan.channel_cuts
    vectors = ((g.outputs + lanes - 1) // lanes + plan.output_cuts - 1) // plan.output_cuts
    rows = (channels * g.kernel_height * g.kernel_width + ROWS - 1) // ROWS * ROWS
    pixels = plan.rows_per_block * g.out_width
    return Workspace(
        np.empty(rows, np.intp),
        np.empty(pixels, np.intp),
        np.arange(ROWS),
        np.empty(channels * plan.patch_plane, x.dtype),
        np.empty(pixels * VECTORS * lanes, x.dtype),
        np.empty(rows * vectors * lanes, x.dtype),
    )


@compiled(borrowing=True)
def locate_taps(g: Geometry, plan: Plan, rows: int, padded_rows: int, starts: Any) -> None:
    """Write the starts of a workspace; what fills up the last tile repeats the last row."""
    taps = g.kernel_height * g.kernel_width
    for k in range(padded_rows):
        row = min(k, rows - 1)
        c = row // taps
        p = (row - c * taps) // g.kernel_width
        q = row - c * taps - p * g.kernel_width
        in_plane = p * g.dilation_down * plan.patch_width + q * g.dilation_across
        starts[k] = c * plan.patch_plane + in_plane


@compiled(borrowing=True)
def transpose_rows(
    g: Geometry, dy: Any, group: int, channels: Panel, first: int, last: int, panel: Any
) -> None:
    """Write output rows first .. last - 1 of a panel's channels as (pixels, width)."""
    lanes = vector_lanes(dy)
    positions = g.out_height * g.out_width
    pixel, end = first * g.out_width, last * g.out_width
    done = 0
    while pixel < end:
        n = pixel // positions
        position = pixel - n * positions
        length = min(positions - position, end - pixel)
        at = ((n * g.groups + group) * g.outputs + channels.o) * positions + position
        for p in range(0, length, lanes):
            for o in range(0, channels.outputs, lanes):
                transpose_block(
                    *(panel, (done + p) * channels.width + o, channels.width),
                    *(dy, at + o * positions + p, positions),
                    *(min(lanes, channels.outputs - o), min(lanes, length - p), lanes),
                )
        pixel += length
        done += length


@compiled(borrowing=True)
def write_item(g: Geometry, item: Item, rows: int, padded_rows: int, result: Any, grad_weight: Any) -> None:
    """Turn an item's result (rows, output channels) into rows of grad_weight."""
    lanes = vector_lanes(result)
    taps = g.kernel_height * g.kernel_width
    depth = g.channels * taps
    out = (item.part * g.groups + item.group) * g.outputs * depth + item.first_channel * taps
    for number in range(panels_of(item)):
        panel = panel_of(g, item, padded_rows, lanes, number)
        for v in range(0, panel.outputs, lanes):
            for k in range(0, rows, lanes):
                transpose_block(
                    *(grad_weight, out + (panel.o + v) * depth + k, depth),
                    *(result, panel.at + k * panel.width + v, panel.width),
                    *(min(lanes, rows - k), min(lanes, panel.outputs - v), min(lanes, rows - k)),
                )


@parallel
def correlate_weight(
    task: int, tasks: int, plan_numbers: Any, x: Any, dy: Any, grad_weight: Any, geometry: Any
) -> None:
    """Items of grad_weight (parts, G O, C KH KW) for x (N, G C, H, W) and dy (N, G O, OH, OW), all flat.

    Args:
        task: which of the tasks.
        tasks: how many.
        plan_numbers: the numbers of `Plan`.
        x: the input.
        dy: the output's gradient.
        grad_weight: the result.
        geometry: the numbers of `Geometry`.
    """
    g: Geometry = as_record(geometry, Geometry)
    plan: Plan = as_record(plan_numbers, Plan)
    lanes, plane = vector_lanes(x), g.height * g.width
    extent = (g.kernel_height - 1) * g.dilation_down + 1
    layout = PatchLayout(
        *(g.height, g.width, g.out_height, g.out_width, 1, 1, g.stride_down, g.stride_across),
        *(g.top, g.left, extent, plan.patch_width, plan.patch_plane),
    )
    work = make_workspace(g, plan, x)
    blocks = (g.batch * g.out_height + plan.rows_per_block - 1) // plan.rows_per_block
    items = plan.parts * g.groups * plan.channel_cuts * plan.output_cuts
    for number in range(items * task // tasks, items * (task + 1) // tasks):
        item = item_of(g, plan, lanes, number)
        rows = (item.last_channel - item.first_channel) * g.kernel_height * g.kernel_width
        padded_rows = (rows + ROWS - 1) // ROWS * ROWS
        locate_taps(g, plan, rows, padded_rows, work.starts)
        for i in range(padded_rows * (item.last_vector - item.first_vector) * lanes):
            work.result[i] = 0
        for block in range(blocks * item.part // plan.parts, blocks * (item.part + 1) // plan.parts):
            first = block * plan.rows_per_block
            last = min(first + plan.rows_per_block, g.batch * g.out_height)
            fill_patch(
                *(layout, x, g.groups * g.channels * plane),
                *(
                    (item.group * g.channels + item.first_channel) * plane,
                    item.last_channel - item.first_channel,
                ),
                *(first, last, work.patch),
            )
            locate_positions(layout, first, last, work.offsets)
            for panel_number in range(panels_of(item)):
                panel = panel_of(g, item, padded_rows, lanes, panel_number)
                transpose_rows(g, dy, item.group, panel, first, last, work.panel)
                for k in range(0, padded_rows, ROWS):
                    add_tile(
                        *(panel.width // lanes, (last - first) * g.out_width, work.patch, work.starts, k),
                        *(work.offsets, 0, work.panel, 0),
                        *(work.result, panel.at + k * panel.width, work.in_order, 0),
                    )
        write_item(g, item, rows, padded_rows, work.result, grad_weight)


def weight_gradient(grad_output: Array, x: Array, window: Window, groups: int) -> Array:
    """Return dW for float32 or float64."""
    division = divide(x.shape, grad_output.shape[1], window, groups, x.dtype, get_num_threads())
    results = empty(division.shape, x.dtype)
    correlate_weight(
        division.tasks,
        division.plan,
        contiguous(x).reshape(-1),
        contiguous(grad_output).reshape(-1),
        results.reshape(-1),
        division.geometry,
    )
    total: Array = results[0] if division.shape[0] == 1 else results.sum(axis=0)  # in the order of the parts
    return total
