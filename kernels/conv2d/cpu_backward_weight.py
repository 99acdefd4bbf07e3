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

from kernels.array import Array
from kernels.conv2d.cpu_fused import Geometry
from kernels.conv2d.cpu_patches import add_tile, fill_patch, locate_positions
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.gemm import ROWS, VECTORS
from kernels.cpu.simd import lanes_of, vector_lanes
from kernels.cpu.transposition import transpose_block
from kernels.memory import empty
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


@lru_cache(maxsize=1024)
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


def _cuts(length: int) -> list[int]:
    """Into how many ranges of at most 1, 2, 3, ... a length can be cut."""
    return sorted({-(-length // most) for most in range(1, length + 1)})


@compiled
def transpose_rows(
    dy: Any,
    image: int,
    positions: int,
    out_at: int,
    outputs: int,
    out_width: int,
    first: int,
    last: int,
    panel: Any,
    width: int,
) -> None:
    """Write output rows first .. last - 1 of `outputs` <= `width` channels as panel (pixels, width)."""
    lanes = vector_lanes(dy)
    pixel, end = first * out_width, last * out_width
    done = 0
    while pixel < end:
        n = pixel // positions
        position = pixel - n * positions
        length = min(positions - position, end - pixel)
        at = n * image + out_at * positions + position
        for p in range(0, length, lanes):
            for o in range(0, outputs, lanes):
                transpose_block(
                    *(panel, (done + p) * width + o, width, dy, at + o * positions + p, positions),
                    *(min(lanes, outputs - o), min(lanes, length - p), lanes),
                )
        pixel += length
        done += length


@parallel
def correlate_weight(
    task: int, tasks: int, cuts: Any, x: Any, dy: Any, grad_weight: Any, geometry: Any
) -> None:
    """Items of grad_weight (parts, G O, C KH KW) for x (N, G C, H, W) and dy (N, G O, OH, OW), all flat.

    Args:
        task: which of the tasks.
        tasks: how many.
        cuts: the numbers of `Plan`, in its order.
        x: the input.
        dy: the output's gradient.
        grad_weight: the result.
        geometry: the numbers of `Geometry`, in its order.
    """
    rows_per_block, parts, channel_cuts, output_cuts, patch_width, patch_plane = (
        cuts[0],
        cuts[1],
        cuts[2],
        cuts[3],
        cuts[4],
        cuts[5],
    )
    batch, groups, channels, outputs = geometry[0], geometry[1], geometry[2], geometry[3]
    out_height, out_width, kernel_height, kernel_width = geometry[6], geometry[7], geometry[8], geometry[9]
    plane, positions = geometry[4] * geometry[5], out_height * out_width
    image, out_image = groups * channels * plane, groups * outputs * positions
    taps, extent = kernel_height * kernel_width, (kernel_height - 1) * geometry[14] + 1
    lanes = vector_lanes(x)
    vectors = (outputs + lanes - 1) // lanes
    most_rows = ((channels + channel_cuts - 1) // channel_cuts * taps + ROWS - 1) // ROWS * ROWS
    most_width = (vectors + output_cuts - 1) // output_cuts * lanes
    blocks = (batch * out_height + rows_per_block - 1) // rows_per_block

    result = np.empty(most_rows * most_width, x.dtype)
    starts = np.empty(most_rows, np.intp)
    patch = np.empty((channels + channel_cuts - 1) // channel_cuts * patch_plane, x.dtype)
    offsets = np.empty(rows_per_block * out_width, np.intp)
    in_order = np.arange(ROWS)
    panel = np.empty(rows_per_block * out_width * VECTORS * lanes, x.dtype)

    items = parts * groups * channel_cuts * output_cuts
    for item in range(items * task // tasks, items * (task + 1) // tasks):
        across = item % output_cuts
        down = item // output_cuts % channel_cuts
        group = item // (output_cuts * channel_cuts) % groups
        part = item // (output_cuts * channel_cuts * groups)
        first_channel, last_channel = channels * down // channel_cuts, channels * (down + 1) // channel_cuts
        first_vector, last_vector = vectors * across // output_cuts, vectors * (across + 1) // output_cuts
        rows = (last_channel - first_channel) * taps
        padded_rows = (rows + ROWS - 1) // ROWS * ROWS
        wide = last_vector - first_vector
        panels = (wide + VECTORS - 1) // VECTORS

        for k in range(padded_rows):
            row = min(k, rows - 1)
            c = row // taps
            p = (row - c * taps) // kernel_width
            q = row - c * taps - p * kernel_width
            starts[k] = c * patch_plane + p * geometry[14] * patch_width + q * geometry[15]
        for i in range(padded_rows * wide * lanes):
            result[i] = 0

        for block in range(blocks * part // parts, blocks * (part + 1) // parts):
            first = block * rows_per_block
            last = min(first + rows_per_block, batch * out_height)
            fill_patch(
                *(x, image, (group * channels + first_channel) * plane, last_channel - first_channel),
                *((geometry[4], geometry[5]), first, last, out_height, 1, geometry[10], geometry[12], extent),
                *(geometry[13], patch_width, patch_plane, patch),
            )
            locate_positions(
                *(first, last, out_height, out_width, 1, 1, geometry[10], geometry[11]),
                *(extent, patch_width, offsets),
            )
            pixels = (last - first) * out_width
            for number in range(panels):
                begin, end = wide * number // panels, wide * (number + 1) // panels
                o = (first_vector + begin) * lanes
                width = (end - begin) * lanes
                transpose_rows(
                    *(dy, out_image, positions, group * outputs + o, min(width, outputs - o), out_width),
                    *(first, last, panel, width),
                )
                base = padded_rows * begin * lanes
                for k in range(0, padded_rows, ROWS):
                    add_tile(
                        *(end - begin, pixels, patch, starts, k, offsets, 0, panel, 0),
                        *(result, base + k * width, in_order, 0),
                    )

        depth = channels * taps
        out = (part * groups + group) * outputs * depth + first_channel * taps
        for number in range(panels):
            begin, end = wide * number // panels, wide * (number + 1) // panels
            o = (first_vector + begin) * lanes
            width = (end - begin) * lanes
            base = padded_rows * begin * lanes
            for v in range(0, min(width, outputs - o), lanes):
                for k in range(0, rows, lanes):
                    transpose_block(
                        *(grad_weight, out + (o + v) * depth + k, depth),
                        *(result, base + k * width + v, width),
                        *(min(lanes, rows - k), min(lanes, outputs - o - v), min(lanes, rows - k)),
                    )


def weight_gradient(grad_output: Array, x: Array, window: Window, groups: int) -> Array:
    """Return dW for float32 or float64."""
    channels, outputs = x.shape[1] // groups, grad_output.shape[1] // groups
    geometry = Geometry(
        batch=x.shape[0],
        groups=groups,
        channels=channels,
        outputs=outputs,
        height=x.shape[2],
        width=x.shape[3],
        out_height=grad_output.shape[2],
        out_width=grad_output.shape[3],
        kernel_height=window.kernel[0],
        kernel_width=window.kernel[1],
        stride_down=window.stride[0],
        stride_across=window.stride[1],
        top=window.padding[0][0],
        left=window.padding[1][0],
        dilation_down=window.dilation[0],
        dilation_across=window.dilation[1],
    )
    tasks = tasks_for(grad_output.size * channels * math.prod(window.kernel), SMALLEST_TASK)
    plan = make_plan(geometry, lanes_of(x.dtype), x.itemsize, tasks)
    results = empty((plan.parts, groups * outputs, channels, *window.kernel), x.dtype)
    correlate_weight(
        tasks,
        np.array(plan),
        contiguous(x).reshape(-1),
        contiguous(grad_output).reshape(-1),
        results.reshape(-1),
        np.array(geometry),
    )
    total: Array = results[0] if plan.parts == 1 else results.sum(axis=0)  # in the order of the parts
    return total
