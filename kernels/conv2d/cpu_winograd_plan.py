"""How Winograd's convolution is cut: into tiles, chunks of tiles and parts of the output channels."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array, Shape4
from kernels.cpu.compilation import SMALLEST_TASK, compiled
from kernels.cpu.records import as_numbers, as_record
from kernels.cpu.simd import lanes_of
from kernels.window import Pair

# Bytes of V and M that a task works on at a time: they should stay in its second-level cache.
CHUNK_BYTES = 600_000
# Fewer tiles at a time would read the weights too often, whatever the cache.
SMALLEST_CHUNK = 24
# With fewer tiles per task than this, the tasks share the output channels instead.
FEW_TILES = 10
# Bytes that all tasks' V and M may take together.
MOST_SCRATCH = 15 * 2**20


class Plan(NamedTuple):
    """All that the compiled functions need to know; Python hands it to kernels as one array of integers.

    Attributes:
        m: height and width of an output tile.
        groups: groups of channels; the counts of channels below are those of one group.
        channels: input channels.
        height: of the input planes.
        width: of the input planes.
        outputs: output channels.
        out_height: of the output planes.
        out_width: of the output planes.
        top: rows of padding above the input; negative to skip rows.
        left: columns of padding before the input; negative to skip columns.
        tile_rows: tiles along an output plane's height.
        tile_columns: tiles along its width.
        tiles: tiles of the batch.
        chunks: into how many chunks the tiles fall.
        parts: into how many parts the output channels fall.
        chunk: tiles in the largest chunk.
        v_step: elements from one position to the next in V.
        m_step: the same in M.
        u_step: the same in U.
    """

    m: int
    groups: int
    channels: int
    height: int
    width: int
    outputs: int
    out_height: int
    out_width: int
    top: int
    left: int
    tile_rows: int
    tile_columns: int
    tiles: int
    chunks: int
    parts: int
    chunk: int
    v_step: int
    m_step: int
    u_step: int


@compiled
def plan_of(numbers: Any) -> Plan:
    """Give the integers of a plan their names."""
    plan: Plan = as_record(numbers, Plan)
    return plan


@compiled
def ceil_divide(a: int, b: int) -> int:
    """Return a / b, rounded up."""
    return (a + b - 1) // b


@compiled(borrowing=True)
def tile_place(plan: Plan, tile: int) -> tuple[int, int, int]:
    """Return a tile's image, and the row and the column of the output where it begins."""
    i, j = tile // plan.tile_columns % plan.tile_rows, tile % plan.tile_columns
    return tile // (plan.tile_rows * plan.tile_columns), i * plan.m, j * plan.m


@lru_cache(maxsize=4096)
def plan_for(
    shape: Shape4,
    dtype: np.dtype[Any],
    m: int,
    groups: int,
    outputs: int,
    before: Pair,
    size: Pair,
    threads: int,
) -> tuple[Plan, Array, int]:
    """Return the plan for an input (N, C, H, W) and `outputs` channels per group, and its number of tasks.

    Between them stands the plan as kernels take it.
    """
    batch, channels, height, width = shape[0], shape[1] // groups, shape[2], shape[3]
    lanes = lanes_of(dtype)
    tile_rows, tile_columns = -(-size[0] // m), -(-size[1] // m)
    tiles = batch * tile_rows * tile_columns
    blocks, pairs = -(-channels // lanes), -(-outputs // (2 * lanes))
    per_tile = (m + 2) ** 2 * (blocks + 2 * pairs) * lanes * dtype.itemsize
    work = tiles * (m + 2) ** 2 * channels * 2 * pairs
    tasks = max(1, min(threads, work // SMALLEST_TASK, MOST_SCRATCH // per_tile))
    most = max(1, min(max(SMALLEST_CHUNK, CHUNK_BYTES // per_tile), MOST_SCRATCH // (tasks * per_tile)))
    parts = min(tasks, pairs) if tiles < FEW_TILES * tasks else 1
    chunks = -(-tiles // most)
    if parts == 1:
        chunks = -(-chunks // tasks) * tasks
    chunk = -(-tiles // chunks)
    plan = Plan(
        *(m, groups, channels, height, width, outputs, *size, *before),
        *(tile_rows, tile_columns, tiles, chunks, parts, chunk),
        v_step=(blocks * chunk + 1) * lanes,
        m_step=(2 * pairs * chunk + 1) * lanes,
        u_step=filters_step(channels, outputs, lanes),
    )
    return plan, as_numbers(plan), tasks


def filters_step(channels: int, outputs: int, lanes: int) -> int:
    """Return how many elements there are from one position of U to the next.

    Here as in V and M there is one vector more than needed: at a distance of a power of two all positions
    would fall into the same few sets of the caches.
    """
    return -(-outputs // (2 * lanes)) * channels * 2 * lanes + lanes
