"""The convolution's input gradient as a matrix product whose columns are never built.

Along one axis, input row h = S u + r of phase r gets

    dx[S u + r] = sum_p dy[u + a] w[p]    over the taps p with S a = r + top - p D a multiple of S:

so each phase is a convolution of dY with stride 1 and some of the taps. A tile of pixels of one phase times
input channels c stays in registers while k = (o, tap) runs: `add_tile` of `kernels/conv2d/cpu_patches.py`,
which reads the columns out of patches of dY and W^T out of panels packed beforehand.

The channels o are taken in groups fixed by the shape. Every group is summed up by itself and then added to
the result, so that the bits do not depend on how pixels and channels are shared out among the tasks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array
from kernels.conv2d.cpu_backward_input_plan import Cuts, make_plan
from kernels.conv2d.cpu_geometry import Geometry
from kernels.conv2d.cpu_patches import PatchLayout, add_tile, fill_patch, locate_positions
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.gemm import ROWS, VECTORS
from kernels.cpu.records import as_record
from kernels.cpu.simd import copy_partial, copy_vector, lanes_of, vector_lanes
from kernels.cpu.transposition import transpose_block
from kernels.memory import empty
from kernels.threads import get_num_threads
from kernels.window import Window


@compiled
def panels_of(g: Geometry, lanes: int) -> int:
    """How many panels of at most VECTORS vectors a group's input channels make."""
    return ((g.channels + lanes - 1) // lanes + VECTORS - 1) // VECTORS


@compiled
def first_vector(g: Geometry, lanes: int, panel: int) -> int:
    """Which of the vectors of a group's input channels is a panel's first."""
    vectors = (g.channels + lanes - 1) // lanes
    first: int = vectors * panel // panels_of(g, lanes)
    return first


# ---- the weight ------------------------------------------------------------------------------------


@parallel
def pack_panels(
    task: int, tasks: int, weight: Any, geometry: Any, first_taps: Any, tap_table: Any, packed: Any
) -> None:
    """Pack a flat weight (G O, C, KH KW): for every group, panel and phase rows (o, tap) of channels c."""
    g: Geometry = as_record(geometry, Geometry)
    taps, lanes = g.kernel_height * g.kernel_width, vector_lanes(weight)
    vectors, filters = (g.channels + lanes - 1) // lanes, g.groups * g.outputs
    rows = np.empty(taps * lanes, weight.dtype)  # (taps, lanes)
    for filter_index in range(filters * task // tasks, filters * (task + 1) // tasks):
        group = filter_index // g.outputs
        o = filter_index - group * g.outputs
        for panel in range(panels_of(g, lanes)):
            first, last = first_vector(g, lanes, panel), first_vector(g, lanes, panel + 1)
            to = (group * vectors + first) * lanes * g.outputs * taps
            width = (last - first) * lanes
            for vector in range(first, last):
                take_channels(g, weight, filter_index, vector * lanes, rows)
                for phase in range(first_taps.size - 1):
                    own = first_taps[phase + 1] - first_taps[phase]
                    row = to + (first_taps[phase] * g.outputs + o * own) * width + (vector - first) * lanes
                    for number in range(own):
                        source = tap_table[first_taps[phase] + number, 0] * lanes
                        copy_vector(packed, row + number * width, rows, source)


@compiled(borrowing=True)
def take_channels(g: Geometry, weight: Any, filter_index: int, c: int, rows: Any) -> None:
    """Turn a vector of a filter's channels, from c on, into rows (taps, lanes)."""
    taps, lanes = g.kernel_height * g.kernel_width, vector_lanes(weight)
    at = (filter_index * g.channels + c) * taps
    count = min(lanes, g.channels - c)
    if taps == 1:
        copy_partial(rows, 0, weight, at, count, weight.dtype.type(0))
    else:
        for tap in range(0, taps, lanes):
            transpose_block(
                *(rows, tap * lanes, lanes, weight, at + tap, taps),
                *(count, min(lanes, taps - tap), lanes),
            )


# ---- the product -----------------------------------------------------------------------------------


class Item(NamedTuple):
    """A unit of work.

    Attributes:
        group: which of the groups.
        first_row, last_row: rows of dx, numbered through the batch.
        first_panel, last_panel: panels of the group's channels.
    """

    group: int
    first_row: int
    last_row: int
    first_panel: int
    last_panel: int


@compiled
def item_of(g: Geometry, cuts: Cuts, panels: int, number: int) -> Item:
    """The item of this number."""
    block, cut = number % cuts.blocks, number // cuts.blocks % cuts.ranges
    rows = g.batch * g.height
    return Item(
        number // (cuts.blocks * cuts.ranges),
        *(rows * block // cuts.blocks, rows * (block + 1) // cuts.blocks),
        *(panels * cut // cuts.ranges, panels * (cut + 1) // cuts.ranges),
    )


class Workspace(NamedTuple):
    """A task's memory.

    Attributes:
        offsets: phase by phase (chunk, taps of the phase): where a step reads, from its pixel's start on.
        in_order: the starts of an item's pixels in the patch.
        starts: the same, sorted by phase.
        places: the sorted pixels' numbers in the item; what fills up a tile has numbers beyond the last.
        first_tiles: where each phase begins in `starts` and `places`, and the end.
        patch: dY of an item's pixels, for a chunk of channels.
        result: panel by panel the item's pixels, and a row for each number beyond them.
    """

    offsets: Any
    in_order: Any
    starts: Any
    places: Any
    first_tiles: Any
    patch: Any
    result: Any


@compiled
def make_workspace(g: Geometry, cuts: Cuts, panels: int, phases: int, dy: Any) -> Workspace:
    """Make room for the largest item."""
    pixels = (g.batch * g.height + cuts.blocks - 1) // cuts.blocks * g.width
    most_panels = (panels + cuts.ranges - 1) // cuts.ranges
    return Workspace(
        np.empty(cuts.chunk * g.kernel_height * g.kernel_width, np.intp),
        np.empty(pixels, np.intp),
        np.empty(pixels + phases * ROWS, np.intp),
        np.empty(pixels + phases * ROWS, np.intp),
        np.empty(phases + 1, np.intp),
        np.empty(cuts.chunk * cuts.patch_plane, dy.dtype),
        np.empty((pixels + ROWS) * most_panels * VECTORS * vector_lanes(dy), dy.dtype),
    )


@compiled(borrowing=True)
def locate_taps(cuts: Cuts, first_taps: Any, tap_table: Any, offsets: Any) -> None:
    """Write the offsets of a workspace."""
    for phase in range(first_taps.size - 1):
        own = first_taps[phase + 1] - first_taps[phase]
        for o in range(cuts.chunk):
            for number in range(own):
                tap = first_taps[phase] + number
                offsets[first_taps[phase] * cuts.chunk + o * own + number] = (
                    o * cuts.patch_plane + tap_table[tap, 1] * cuts.patch_width + tap_table[tap, 2]
                )


@compiled(borrowing=True)
def sort_by_phase(g: Geometry, item: Item, work: Workspace) -> None:
    """Sort an item's pixels by phase, and fill up each phase to whole tiles."""
    count = 0
    pixels = (item.last_row - item.first_row) * g.width
    for phase in range(g.stride_down * g.stride_across):
        work.first_tiles[phase] = count
        for row in range(item.last_row - item.first_row):
            if (item.first_row + row) % g.height % g.stride_down == phase // g.stride_across:
                for w in range(phase % g.stride_across, g.width, g.stride_across):
                    work.starts[count] = work.in_order[row * g.width + w]
                    work.places[count] = row * g.width + w
                    count += 1
        unused = pixels
        while (count - work.first_tiles[phase]) % ROWS:
            work.starts[count] = work.starts[count - 1]
            work.places[count] = unused
            unused += 1
            count += 1
    work.first_tiles[g.stride_down * g.stride_across] = count


@compiled(borrowing=True)
def add_channels(
    g: Geometry,
    cuts: Cuts,
    item: Item,
    first_output: int,
    last_output: int,
    packed: Any,
    first_taps: Any,
    work: Workspace,
) -> None:
    """Add what the channels o of the patch give to an item's result."""
    lanes = vector_lanes(packed)
    vectors, taps = (g.channels + lanes - 1) // lanes, g.kernel_height * g.kernel_width
    pixels = (item.last_row - item.first_row) * g.width
    for panel in range(item.first_panel, item.last_panel):
        first, last = first_vector(g, lanes, panel), first_vector(g, lanes, panel + 1)
        width = (last - first) * lanes
        result_at = (panel - item.first_panel) * (pixels + ROWS) * VECTORS * lanes
        for phase in range(first_taps.size - 1):
            own = first_taps[phase + 1] - first_taps[phase]
            if own == 0:
                continue
            at = (item.group * vectors + first) * lanes * g.outputs * taps
            at += first_taps[phase] * g.outputs * width
            for o in range(first_output, last_output, cuts.together):
                steps = min(cuts.together, last_output - o) * own
                for tile in range(work.first_tiles[phase], work.first_tiles[phase + 1], ROWS):
                    add_tile(
                        *(last - first, steps, work.patch, work.starts, tile, work.offsets),
                        first_taps[phase] * cuts.chunk + (o - first_output) * own,
                        *(packed, at + o * own * width, work.result, result_at, work.places, tile),
                    )


@compiled(borrowing=True)
def write_pixels(g: Geometry, item: Item, result: Any, grad_x: Any) -> None:
    """Turn an item's result (pixels, channels) into planes of grad_x."""
    lanes = vector_lanes(grad_x)
    plane = g.height * g.width
    first_pixel, last_pixel = item.first_row * g.width, item.last_row * g.width
    pitch = (last_pixel - first_pixel + ROWS) * VECTORS * lanes
    for panel in range(item.first_panel, item.last_panel):
        first, last = first_vector(g, lanes, panel), first_vector(g, lanes, panel + 1)
        width, channels = (last - first) * lanes, min(g.channels, last * lanes) - first * lanes
        start = (panel - item.first_panel) * pitch
        pixel = first_pixel
        while pixel < last_pixel:
            n = pixel // plane
            position = pixel - n * plane
            length = min(plane - position, last_pixel - pixel)
            to = ((n * g.groups + item.group) * g.channels + first * lanes) * plane + position
            for p in range(0, length, lanes):
                for v in range(0, channels, lanes):
                    transpose_block(
                        *(grad_x, to + v * plane + p, plane),
                        *(result, start + (pixel - first_pixel + p) * width + v, width),
                        *(min(lanes, length - p), min(lanes, channels - v), min(lanes, length - p)),
                    )
            pixel += length


@parallel
def correlate_input(
    task: int,
    tasks: int,
    dy: Any,
    packed: Any,
    grad_x: Any,
    geometry: Any,
    cut_numbers: Any,
    first_taps: Any,
    tap_table: Any,
) -> None:
    """grad_x (N, G C, H, W) for dy (N, G O, OH, OW), both flat.

    Args:
        task: which of the tasks.
        tasks: how many.
        dy: the output's gradient.
        packed: the weight, packed by `pack_panels`.
        grad_x: the result.
        geometry: the numbers of `Geometry`.
        cut_numbers: the numbers of `Cuts`.
        first_taps: see `Plan`.
        tap_table: see `Plan`.
    """
    g: Geometry = as_record(geometry, Geometry)
    cuts: Cuts = as_record(cut_numbers, Cuts)
    lanes, positions = vector_lanes(dy), g.out_height * g.out_width
    panels = panels_of(g, lanes)
    layout = PatchLayout(
        *(g.out_height, g.out_width, g.height, g.width, g.stride_down, g.stride_across, 1, 1),
        *(-cuts.lowest_down, -cuts.lowest_across, cuts.extent, cuts.patch_width, cuts.patch_plane),
    )
    work = make_workspace(g, cuts, panels, first_taps.size - 1, dy)
    locate_taps(cuts, first_taps, tap_table, work.offsets)
    items = g.groups * cuts.ranges * cuts.blocks
    for number in range(items * task // tasks, items * (task + 1) // tasks):
        item = item_of(g, cuts, panels, number)
        locate_positions(layout, item.first_row, item.last_row, work.in_order)
        sort_by_phase(g, item, work)
        pixels = (item.last_row - item.first_row) * g.width
        for i in range((pixels + ROWS) * (item.last_panel - item.first_panel) * VECTORS * lanes):
            work.result[i] = 0
        for first_output in range(0, g.outputs, cuts.chunk):
            last_output = min(g.outputs, first_output + cuts.chunk)
            fill_patch(
                *(layout, dy, g.groups * g.outputs * positions),
                *((item.group * g.outputs + first_output) * positions, last_output - first_output),
                *(item.first_row, item.last_row, work.patch),
            )
            add_channels(g, cuts, item, first_output, last_output, packed, first_taps, work)
        write_pixels(g, item, work.result, grad_x)


def input_gradient(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> Array:
    """Return dX for float32 or float64."""
    dtype, (batch, channels, height, width) = grad_output.dtype, input_shape
    grad_x = empty((batch, channels, height, width), dtype)
    if grad_x.size == 0:
        return grad_x
    plan = make_plan(grad_x.shape, weight.shape[0], window, groups, dtype, get_num_threads())
    lanes = lanes_of(dtype)
    depth = weight.shape[0] * math.prod(window.kernel)  # over all groups
    packed = empty(-(-weight.shape[1] // lanes) * lanes * depth, dtype)
    taps = plan.first_taps, plan.tap_table
    pack_panels(tasks_for(packed.size), contiguous(weight).reshape(-1), plan.geometry, *taps, packed)
    correlate_input(
        plan.tasks,
        contiguous(grad_output).reshape(-1),
        packed,
        grad_x.reshape(-1),
        plan.geometry,
        plan.cuts,
        *taps,
    )
    return grad_x
