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
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array
from kernels.conv2d.cpu_patches import add_tile, fill_patch, locate_positions
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.gemm import ROWS, VECTORS
from kernels.cpu.simd import copy_partial, copy_vector, lanes_of, vector_lanes
from kernels.cpu.transposition import transpose_block
from kernels.memory import empty
from kernels.threads import get_num_threads
from kernels.window import Window

# The most pixels per block, and steps k per group, whose rows of a panel fit into a first-level cache.
BLOCK, STEPS = 256, 128
# Bytes of the second-level cache for a task's patch of dY.
PATCH_BYTES = 256 * 1024
# Multiply-adds that are worth a second thread.
SMALLEST_TASK = 1 << 17


class Taps(NamedTuple):
    """The taps of one axis.

    Attributes:
        of_phase: for every phase the pairs (tap, a - lowest).
        lowest: the lowest a of all.
        extent: how many rows of dY the a of all phases cover.
    """

    of_phase: tuple[tuple[tuple[int, int], ...], ...]
    lowest: int
    extent: int


def axis_taps(kernel: int, stride: int, dilation: int, before: int) -> Taps:
    """Return the taps of each phase of one axis."""
    shifts: list[list[tuple[int, int]]] = [[] for _ in range(stride)]
    for r, p in product(range(stride), range(kernel)):
        distance = r + before - p * dilation
        if distance % stride == 0:
            shifts[r].append((p, distance // stride))
    every = [a for phase in shifts for _, a in phase]
    lowest = min(every)
    return Taps(
        tuple(tuple((p, a - lowest) for p, a in phase) for phase in shifts), lowest, max(every) - lowest + 1
    )


class Problem(NamedTuple):
    """The numbers that `correlate_input` is told, as an array.

    Attributes:
        batch: images N.
        groups: groups G.
        channels: input channels C of a group.
        outputs: output channels O of a group.
        height, width: of dx.
        out_height, out_width: of dy.
        stride_down, stride_across: phases along both axes.
        lowest_down, lowest_across: the lowest row and column of dy that pixel (0, 0) may need.
        extent: rows of dy that the pixels of a row of phases need.
        taps: KH KW.
        patch_width, patch_plane: see `fill_patch`.
        blocks: into how many the rows of dx, numbered through the batch, are cut.
        cuts: into how many ranges a group's panels are cut.
        group: channels o that are summed up by themselves.
        chunk: channels o in a patch, a multiple of `group`.
    """

    batch: int
    groups: int
    channels: int
    outputs: int
    height: int
    width: int
    out_height: int
    out_width: int
    stride_down: int
    stride_across: int
    lowest_down: int
    lowest_across: int
    extent: int
    taps: int
    patch_width: int
    patch_plane: int
    blocks: int
    cuts: int
    group: int
    chunk: int


class Plan(NamedTuple):
    """What follows from the shapes.

    Attributes:
        tasks: for how many the work is cut.
        problem: the numbers of `Problem`.
        first_taps: for every phase its first place in `tap_table`, and the end.
        tap_table: (taps, 3): the tap's index in the weight, its row and its column from the lowest, by phase.
    """

    tasks: int
    problem: Array
    first_taps: Array
    tap_table: Array


@lru_cache(maxsize=1024)
def make_plan(
    dy_shape: tuple[int, ...],
    dx_shape: tuple[int, ...],
    window: Window,
    groups: int,
    lanes: int,
    itemsize: int,
    threads: int,
) -> Plan:
    """Plan for this number of threads: the cheapest cuts."""
    batch, outputs, *out_size = dy_shape
    channels, (height, width) = dx_shape[1] // groups, dx_shape[2:]
    outputs //= groups
    down, across = (
        axis_taps(kernel, stride, dilation, padding[0])
        for kernel, stride, dilation, padding in zip(
            window.kernel, window.stride, window.dilation, window.padding, strict=True
        )
    )
    phases = [
        [(p * window.kernel[1] + q, a, b) for p, a in rows for q, b in columns]
        for rows in down.of_phase
        for columns in across.of_phase
    ]
    taps = math.prod(window.kernel)
    group = max(1, STEPS // max(len(phase) for phase in phases))
    vectors = -(-channels // lanes)
    panels = -(-vectors // VECTORS)
    patch_width = (width - 1) // window.stride[1] + across.extent
    rows = batch * height
    steps = math.prod(dy_shape) * channels * taps
    tasks = max(1, min(threads, steps // SMALLEST_TASK))

    def patch_plane(blocks: int) -> int:
        """Every image's piece begins a row of phases and has the rows around it."""
        most = -(-rows // blocks)
        pieces = min(most, (most - 2) // height + 2) if most > 1 else 1
        return ((most - 1) // window.stride[0] + pieces * (down.extent + 1)) * patch_width + lanes

    def cost(blocks: int, cuts: int) -> float:
        """The time of the task that has most to do, in multiply-adds of vectors."""
        most, wide = -(-rows // blocks), -(-vectors * -(-panels // cuts) // panels)
        tiles = sum(-(-most * width // (ROWS * len(phases))) * len(phase) * ROWS for phase in phases)
        item = float(wide * tiles * outputs)  # the product
        item += (0.5 * lanes * wide + 4) * most * width  # transposing, and the tables
        item += 0.25 * outputs * patch_plane(blocks)  # copying the patch
        return -(-groups * blocks * cuts // tasks) * item

    fewest = -(-rows * width // max(BLOCK, width))
    choices = [
        (blocks, cuts)
        for blocks in range(fewest, min(rows, fewest + 2 * tasks) + 1)
        for cuts in range(1, min(panels, 2 * tasks) + 1)
    ]
    blocks, cuts = min(choices, key=lambda choice: cost(*choice))
    plane = patch_plane(blocks)
    chunk = max(1, PATCH_BYTES // (plane * itemsize) // group) * group
    problem = Problem(
        batch=batch,
        groups=groups,
        channels=channels,
        outputs=outputs,
        height=height,
        width=width,
        out_height=out_size[0],
        out_width=out_size[1],
        stride_down=window.stride[0],
        stride_across=window.stride[1],
        lowest_down=down.lowest,
        lowest_across=across.lowest,
        extent=down.extent,
        taps=taps,
        patch_width=patch_width,
        patch_plane=plane,
        blocks=blocks,
        cuts=cuts,
        group=group,
        chunk=min(chunk, outputs),
    )
    first_taps = np.cumsum([0] + [len(phase) for phase in phases])
    tap_table = np.array([tap for phase in phases for tap in phase])
    return Plan(tasks, np.array(problem), first_taps, tap_table)


@parallel
def pack_panels(
    task: int, tasks: int, weight: Any, problem: Any, first_taps: Any, tap_table: Any, packed: Any
) -> None:
    """Pack a flat weight (G O, C, KH KW): for every group, panel and phase rows (o, tap) of channels c."""
    groups, channels, outputs, taps = problem[1], problem[2], problem[3], problem[13]
    lanes = vector_lanes(weight)
    vectors = (channels + lanes - 1) // lanes
    panels = (vectors + VECTORS - 1) // VECTORS
    rows = np.empty(taps * lanes, weight.dtype)  # (taps, lanes)
    zero = weight.dtype.type(0)
    for filter_index in range(groups * outputs * task // tasks, groups * outputs * (task + 1) // tasks):
        group = filter_index // outputs
        o = filter_index - group * outputs
        for panel in range(panels):
            first, last = vectors * panel // panels, vectors * (panel + 1) // panels
            to = (group * vectors + first) * lanes * outputs * taps
            width = (last - first) * lanes
            for vector in range(first, last):
                c = vector * lanes
                at = (filter_index * channels + c) * taps
                count = min(lanes, channels - c)
                if taps == 1:
                    copy_partial(rows, 0, weight, at, count, zero)
                else:
                    for tap in range(0, taps, lanes):
                        transpose_block(
                            *(rows, tap * lanes, lanes, weight, at + tap, taps),
                            *(count, min(lanes, taps - tap), lanes),
                        )
                for phase in range(first_taps.size - 1):
                    own = first_taps[phase + 1] - first_taps[phase]
                    row = to + (first_taps[phase] * outputs + o * own) * width + (vector - first) * lanes
                    for number in range(own):
                        source = tap_table[first_taps[phase] + number, 0] * lanes
                        copy_vector(packed, row + number * width, rows, source)


@compiled(borrowing=True)
def sort_by_phase(
    first: int,
    last: int,
    height: int,
    width: int,
    down: int,
    across: int,
    in_order: Any,
    starts: Any,
    places: Any,
    first_tiles: Any,
) -> None:
    """Sort the pixels of rows first .. last - 1 of dx by phase, and fill up each phase to whole tiles.

    starts: the pixels' starts in the patch. places: their numbers in the block; what fills up a tile gets
    places beyond the last pixel. first_tiles: where each phase begins in both, and the end.
    """
    count = 0
    for phase in range(down * across):
        first_tiles[phase] = count
        for row in range(last - first):
            if (first + row) % height % down == phase // across:
                for w in range(phase % across, width, across):
                    starts[count] = in_order[row * width + w]
                    places[count] = row * width + w
                    count += 1
        pixels = (last - first) * width
        while (count - first_tiles[phase]) % ROWS:
            starts[count] = starts[count - 1]
            places[count] = pixels
            pixels += 1
            count += 1
    first_tiles[down * across] = count


@parallel
def correlate_input(
    task: int,
    tasks: int,
    dy: Any,
    packed: Any,
    grad_x: Any,
    problem: Any,
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
        problem: the numbers of `Problem`, in its order.
        first_taps: see `Plan`.
        tap_table: see `Plan`.
    """
    batch, groups, channels, outputs = problem[0], problem[1], problem[2], problem[3]
    height, width, out_height, out_width = problem[4], problem[5], problem[6], problem[7]
    down, across, lowest_down, lowest_across = problem[8], problem[9], problem[10], problem[11]
    extent, taps, patch_width, patch_plane = problem[12], problem[13], problem[14], problem[15]
    blocks, cuts, group_of_outputs, chunk = problem[16], problem[17], problem[18], problem[19]
    lanes = vector_lanes(dy)
    vectors = (channels + lanes - 1) // lanes
    panels = (vectors + VECTORS - 1) // VECTORS
    phases = first_taps.size - 1
    plane, out_plane = height * width, out_height * out_width
    rows = batch * height
    most_pixels = (rows + blocks - 1) // blocks * width
    most_panels = (panels + cuts - 1) // cuts

    offsets = np.empty(chunk * taps, np.intp)  # phase by phase (chunk, taps of the phase)
    for phase in range(phases):
        own = first_taps[phase + 1] - first_taps[phase]
        for o in range(chunk):
            for number in range(own):
                tap = first_taps[phase] + number
                offsets[first_taps[phase] * chunk + o * own + number] = (
                    o * patch_plane + tap_table[tap, 1] * patch_width + tap_table[tap, 2]
                )
    in_order = np.empty(most_pixels, np.intp)
    starts = np.empty(most_pixels + phases * ROWS, np.intp)
    places = np.empty(most_pixels + phases * ROWS, np.intp)
    first_tiles = np.empty(phases + 1, np.intp)
    patch = np.empty(chunk * patch_plane, dy.dtype)
    result = np.empty((most_pixels + ROWS) * most_panels * VECTORS * lanes, dy.dtype)

    items = groups * cuts * blocks
    for item in range(items * task // tasks, items * (task + 1) // tasks):
        block = item % blocks
        cut = item // blocks % cuts
        group = item // (blocks * cuts)
        first, last = rows * block // blocks, rows * (block + 1) // blocks
        first_panel, last_panel = panels * cut // cuts, panels * (cut + 1) // cuts
        pixels = (last - first) * width
        locate_positions(
            *(first, last, height, width, down, across, 1, 1, extent, patch_width, in_order),
        )
        sort_by_phase(first, last, height, width, down, across, in_order, starts, places, first_tiles)
        for i in range((pixels + ROWS) * (last_panel - first_panel) * VECTORS * lanes):
            result[i] = 0

        for first_output in range(0, outputs, chunk):
            last_output = min(outputs, first_output + chunk)
            fill_patch(
                *(dy, groups * outputs * out_plane, (group * outputs + first_output) * out_plane),
                *(last_output - first_output, (out_height, out_width), first, last, height, down, 1),
                *(-lowest_down, extent, -lowest_across, patch_width, patch_plane, patch),
            )
            for panel in range(first_panel, last_panel):
                first_vector, last_vector = vectors * panel // panels, vectors * (panel + 1) // panels
                panel_width = (last_vector - first_vector) * lanes
                result_at = (panel - first_panel) * (pixels + ROWS) * VECTORS * lanes
                for phase in range(phases):
                    own = first_taps[phase + 1] - first_taps[phase]
                    if own == 0:
                        continue
                    at = (group * vectors + first_vector) * lanes * outputs * taps
                    at += first_taps[phase] * outputs * panel_width
                    for o in range(first_output, last_output, group_of_outputs):
                        steps = min(group_of_outputs, last_output - o) * own
                        for tile in range(first_tiles[phase], first_tiles[phase + 1], ROWS):
                            add_tile(
                                *(last_vector - first_vector, steps, patch, starts, tile, offsets),
                                first_taps[phase] * chunk + (o - first_output) * own,
                                *(packed, at + o * own * panel_width, result, result_at, places, tile),
                            )

        for panel in range(first_panel, last_panel):
            first_vector, last_vector = vectors * panel // panels, vectors * (panel + 1) // panels
            panel_width = (last_vector - first_vector) * lanes
            result_at = (panel - first_panel) * (pixels + ROWS) * VECTORS * lanes
            c, last_c = first_vector * lanes, min(channels, last_vector * lanes)
            pixel = 0
            while pixel < pixels:
                n = (first * width + pixel) // plane
                position = first * width + pixel - n * plane
                length = min(plane - position, pixels - pixel)
                to = ((n * groups + group) * channels + c) * plane + position
                for p in range(0, length, lanes):
                    for v in range(0, last_c - c, lanes):
                        transpose_block(
                            *(grad_x, to + v * plane + p, plane),
                            *(result, result_at + (pixel + p) * panel_width + v, panel_width),
                            *(min(lanes, length - p), min(lanes, last_c - c - v), min(lanes, length - p)),
                        )
                pixel += length


def input_gradient(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> Array:
    """Return dX for float32 or float64."""
    dtype = grad_output.dtype
    grad_x = empty(tuple(input_shape), dtype)
    if grad_x.size == 0:
        return grad_x
    plan = make_plan(
        *(grad_output.shape, tuple(input_shape), window, groups),
        *(lanes_of(dtype), dtype.itemsize, get_num_threads()),
    )
    lanes = lanes_of(dtype)
    depth = weight.shape[0] * math.prod(window.kernel)  # over all groups
    packed = empty(-(-weight.shape[1] // lanes) * lanes * depth, dtype)
    tables = plan.problem, plan.first_taps, plan.tap_table
    pack_panels(tasks_for(packed.size), contiguous(weight).reshape(-1), *tables, packed)
    correlate_input(plan.tasks, contiguous(grad_output).reshape(-1), packed, grad_x.reshape(-1), *tables)
    return grad_x
