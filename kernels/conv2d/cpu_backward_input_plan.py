"""How the convolution's input gradient is cut up: taps by phase, pixels by block, channels by range."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array, Shape4
from kernels.conv2d.cpu_geometry import Geometry, describe
from kernels.cpu.gemm import ROWS, VECTORS
from kernels.cpu.records import as_numbers
from kernels.cpu.simd import lanes_of
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


class Cuts(NamedTuple):
    """How the work is cut, and what of dY a part of it needs.

    Attributes:
        lowest_down, lowest_across: the lowest row and column of dy that pixel (0, 0) may need.
        extent: rows of dy that the pixels of a row of phases need.
        patch_width, patch_plane: see `PatchLayout`.
        blocks: into how many the rows of dx, numbered through the batch, are cut.
        ranges: into how many ranges a group's panels are cut.
        together: channels o that are summed up by themselves.
        chunk: channels o in a patch, a multiple of `together`.
    """

    lowest_down: int
    lowest_across: int
    extent: int
    patch_width: int
    patch_plane: int
    blocks: int
    ranges: int
    together: int
    chunk: int


class Plan(NamedTuple):
    """What follows from the shapes.

    Attributes:
        tasks: for how many the work is cut.
        geometry: the numbers of `Geometry`.
        cuts: the numbers of `Cuts`.
        first_taps: for every phase its first place in `tap_table`, and the end.
        tap_table: (taps, 3): the tap's index in the weight, its row and its column from the lowest, by phase.
    """

    tasks: int
    geometry: Array
    cuts: Array
    first_taps: Array
    tap_table: Array


# A phase of both axes: its taps' places in the weight, and their rows and columns from the lowest.
Phase = list[tuple[int, int, int]]


@lru_cache(maxsize=1024)
def make_plan(
    input_shape: Shape4, outputs: int, window: Window, groups: int, dtype: np.dtype[Any], threads: int
) -> Plan:
    """Plan for this number of threads: the cheapest cuts. Only blocks and ranges depend on the threads."""
    g = describe(input_shape, outputs, window, groups)
    lanes = lanes_of(dtype)
    down = axis_taps(g.kernel_height, g.stride_down, g.dilation_down, g.top)
    across = axis_taps(g.kernel_width, g.stride_across, g.dilation_across, g.left)
    phases: list[Phase] = [
        [(p * g.kernel_width + q, a, b) for p, a in rows for q, b in columns]
        for rows in down.of_phase
        for columns in across.of_phase
    ]
    together = max(1, STEPS // max(len(phase) for phase in phases))
    patch_width = (g.width - 1) // g.stride_across + across.extent
    steps = g.batch * outputs * g.out_height * g.out_width * g.channels * math.prod(window.kernel)
    tasks = max(1, min(threads, steps // SMALLEST_TASK))

    def plane(blocks: int) -> int:
        return patch_rows(g, down.extent, blocks) * patch_width + lanes

    def time(choice: tuple[int, int]) -> float:
        blocks, ranges = choice
        return -(-groups * blocks * ranges // tasks) * cost(g, phases, lanes, plane(blocks), blocks, ranges)

    rows, panels = g.batch * g.height, -(-g.channels // (VECTORS * lanes))
    fewest = -(-rows * g.width // max(BLOCK, g.width))
    blocks, ranges = min(
        product(range(fewest, min(rows, fewest + 2 * tasks) + 1), range(1, min(panels, 2 * tasks) + 1)),
        key=time,
    )
    chunk = max(1, PATCH_BYTES // (plane(blocks) * dtype.itemsize) // together) * together
    cuts = Cuts(
        lowest_down=down.lowest,
        lowest_across=across.lowest,
        extent=down.extent,
        patch_width=patch_width,
        patch_plane=plane(blocks),
        blocks=blocks,
        ranges=ranges,
        together=together,
        chunk=min(chunk, g.outputs),
    )
    first_taps = np.cumsum([0] + [len(phase) for phase in phases])
    tap_table = np.array([tap for phase in phases for tap in phase])
    return Plan(tasks, as_numbers(g), as_numbers(cuts), first_taps, tap_table)


def patch_rows(g: Geometry, extent: int, blocks: int) -> int:
    """The most rows of a block's patch: each image's piece begins a row of phases, with rows around it."""
    most = -(-g.batch * g.height // blocks)
    pieces = min(most, (most - 2) // g.height + 2) if most > 1 else 1
    return (most - 1) // g.stride_down + pieces * (extent + 1)


def cost(g: Geometry, phases: list[Phase], lanes: int, patch_plane: int, blocks: int, ranges: int) -> float:
    """The time of the largest of so many parts of a group's work, in multiply-adds of vectors."""
    vectors = -(-g.channels // lanes)
    panels = -(-vectors // VECTORS)
    pixels = -(-g.batch * g.height // blocks) * g.width
    wide = -(-vectors * -(-panels // ranges) // panels)
    tiles = sum(-(-pixels // (ROWS * len(phases))) * len(phase) * ROWS for phase in phases)
    product_time = float(wide * tiles * g.outputs)
    transposing_and_tables = (0.5 * lanes * wide + 4) * pixels
    copying_the_patch = 0.25 * g.outputs * patch_plane
    return product_time + transposing_and_tables + copying_the_patch
