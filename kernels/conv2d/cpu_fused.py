"""The convolution as a matrix product whose right-hand side is gathered on the way: the kernel and its parts.

    Y[o, column] = sum_k W[o, k] X[k, column],   k = (c, p, q), column = (n, i, j)

X is never built. The columns are taken in panels of a tile's width; of a panel, a block of X's rows at a
time is gathered (`cpu_gather.py`) into memory that stays in the cache, and all rows of W that a task has run
over it.

Sources: Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
processing", IWFHR 2006, section 3.1, for the product; Goto and van de Geijn (see `kernels/cpu/gemm.py`) for
the blocks.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array, Shape4
from kernels.conv2d.cpu_gather import Panel, gather, make_tables, panel_from, plan_panel
from kernels.conv2d.cpu_geometry import Geometry, describe, is_pointwise
from kernels.conv2d.versions import CLAMPS
from kernels.cpu import endings
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.endings import end_with
from kernels.cpu.gemm import NARROW, ROWS, STRIP_ROWS, columns_of_tile, pack_rows, strip
from kernels.cpu.records import as_numbers, as_record
from kernels.cpu.simd import copy_partial, lanes_of, store_partial, vector_lanes
from kernels.window import Window

# Rows of X gathered at once: a panel then takes 150 KB of a second-level cache. Fewer would stay in the first
# level, but what begins and ends a tile would cost more than that gains.
BLOCK_DEPTH = 768
# Panels that take turns for one block of W, which so is read less often from farther away.
PANELS = 6

# A panel's gathering costs about as much as this part of one block of rows over it.
GATHERING = 0.5
# A task of fewer multiplications costs less than waking a thread.
SMALLEST_TASK = 1 << 17

# Activations that a tile's clamp cannot do, by the code that a kernel is told; 0 is none.
CLAMPED = ("relu", "relu6")
CODES = {name: code for name, code in endings.CODES.items() if name not in CLAMPED}


@compiled(borrowing=True)
def activate(code: int, y: Any, at: int, step: int, rows: int, columns: int) -> None:
    """Apply an activation of CODES to `rows` rows of `columns` elements, `step` apart."""
    for i in range(rows):
        end_with(code, y[at + i * step : at + i * step + columns])


# ---- panels that lie in several images -------------------------------------------------------------


@compiled(borrowing=True)
def exchange(outward: bool, g: Geometry, panel: Panel, y: Any, y_at: int, rows: int, spread: Any) -> None:
    """Copy a tile's columns between the images they belong to and `spread`, where they lie together.

    A row of `spread` ends with room for a vector, for whole vectors are written and read there.

    Args:
        outward: from `spread` to the images, otherwise from the images to `spread`.
        g: the convolution's numbers.
        panel: which columns.
        y: the images.
        y_at: where the tile's first row of the first image begins.
        rows: rows of the tile.
        spread: the tile.
    """
    lanes = vector_lanes(y)
    pitch = columns_of_tile(y) + lanes
    positions = g.out_height * g.out_width
    zero = y.dtype.type(0)
    done = 0
    while done < panel.columns:
        n = (panel.first + done) // positions
        position = panel.first + done - n * positions
        length = min(positions - position, panel.columns - done)
        for i in range(rows):
            far = y_at + (n * g.groups * g.outputs + i) * positions + position
            near = i * pitch + done
            for j in range(0, length, lanes):
                if outward:
                    store_partial(y, far + j, spread, near + j, length - j)
                else:
                    copy_partial(spread, near + j, y, far + j, length - j, zero)
        done += length


# ---- the kernel ------------------------------------------------------------------------------------


class Share(NamedTuple):
    """What of Y a task computes.

    Attributes:
        first_block, last_block: blocks of ROWS rows, numbered through the groups.
        first_column, last_column: columns.
    """

    first_block: int
    last_block: int
    first_column: int
    last_column: int


@compiled
def share_of_task(task: int, tasks: int, across: int, blocks: int, columns: int, lanes: int) -> Share:
    """The tasks form a grid: `across` of them share the columns, in whole vectors, the others the blocks."""
    down, vectors = tasks // across, (columns + lanes - 1) // lanes
    row, column = task // across, task % across
    return Share(
        *(blocks * row // down, blocks * (row + 1) // down),
        *(vectors * column // across * lanes, min(columns, vectors * (column + 1) // across * lanes)),
    )


class Slab(NamedTuple):
    """A piece of W that all of a task's panels are multiplied with in turn.

    Attributes:
        group: which of the groups.
        first_block, last_block: blocks of ROWS rows, counted in the group.
        k, k_end: the columns of W.
    """

    group: int
    first_block: int
    last_block: int
    k: int
    k_end: int


@compiled
def packed_at(g: Geometry, group: int, block: int, k: int, k_end: int) -> int:
    """Where columns k .. k_end - 1 of a group's block begin in a packed weight."""
    depth, group_blocks = g.channels * g.kernel_height * g.kernel_width, (g.outputs + ROWS - 1) // ROWS
    return ((group * depth + k) * group_blocks + block * (k_end - k)) * ROWS


@compiled(borrowing=True)
def multiply_panel(
    g: Geometry,
    slab: Slab,
    panel: Panel,
    packed: Any,
    b: Any,
    b_at: int,
    b_row: int,
    biased: bool,
    bias: Any,
    low: Any,
    high: Any,
    code: int,
    y: Any,
    spread: Any,
    spill: Any,
) -> None:
    """Multiply a slab with its rows of a panel, which begin at b[b_at], b_row apart, into Y.

    The first slab begins with the bias, the others go on with what is in Y.
    """
    positions = g.out_height * g.out_width
    accumulate = slab.k > 0
    for block in range(slab.first_block, slab.last_block, 2):
        rows = min(STRIP_ROWS, g.outputs - block * ROWS, (slab.last_block - block) * ROWS)
        o = slab.group * g.outputs + block * ROWS
        bias_at = o if biased else 0
        if panel.together:
            c, c_row = y, positions
            c_at = (panel.image * g.groups * g.outputs + o) * positions + panel.position
        else:
            c, c_at, c_row = spread, 0, columns_of_tile(y) + vector_lanes(y)
            if accumulate:
                exchange(False, g, panel, y, o * positions, rows, spread)
        strip(
            *(slab.k_end - slab.k, packed, packed_at(g, slab.group, block, slab.k, slab.k_end)),
            *(b, b_at, b_row, c, c_at, c_row, rows, panel.columns, accumulate),
            *(bias, bias_at, low, high, spill),
        )
        if code:
            activate(code, c, c_at, c_row, rows, panel.columns)
        if not panel.together:
            exchange(True, g, panel, y, o * positions, rows, spread)


@parallel
def convolve(
    task: int,
    tasks: int,
    across: int,
    in_place: bool,
    x: Any,
    packed: Any,
    biased: bool,
    bias: Any,
    y: Any,
    geometry: Any,
    low: Any,
    high: Any,
    code: int,
) -> None:
    """y = f(W X + b) for x (N, G C, H, W) and y (N, G O, OH, OW), both flat.

    Args:
        task: which of the tasks.
        tasks: how many.
        across: into how many parts the columns are cut; divides `tasks`, see `share_of_task`.
        in_place: whether X is x itself (1x1, no stride, no padding), whose rows need no gathering.
        x: the input.
        packed: W as `pack` leaves it.
        biased: whether there is a bias.
        bias: one number per output channel; without a bias STRIP_ROWS zeros.
        y: the output.
        geometry: the numbers of `Geometry`.
        low: lower bound of y, minus infinity for none.
        high: upper bound of y.
        code: an activation of CODES, or 0.
    """
    g: Geometry = as_record(geometry, Geometry)
    width, lanes = columns_of_tile(x), vector_lanes(x)
    plane, depth = g.height * g.width, g.channels * g.kernel_height * g.kernel_width
    parts = (depth + BLOCK_DEPTH - 1) // BLOCK_DEPTH
    group_blocks = (g.outputs + ROWS - 1) // ROWS
    own = share_of_task(
        *(task, tasks, across, g.groups * group_blocks, g.batch * g.out_height * g.out_width, lanes)
    )
    panels = (own.last_column - own.first_column + width - 1) // width
    rounds = (panels + PANELS - 1) // PANELS

    tables = make_tables(g, PANELS, width)
    gathered = np.empty((depth // parts + 1) * width + lanes, x.dtype)
    spill = np.empty(NARROW * STRIP_ROWS, x.dtype)
    spread = np.empty(STRIP_ROWS * (width + lanes), x.dtype)
    no_bound = x.dtype.type(np.inf)

    for turn in range(rounds):
        start, end = panels * turn // rounds, panels * (turn + 1) // rounds
        for number in range(start, end):
            first = own.first_column + number * width
            panel = panel_from(g, first, min(width, own.last_column - first))
            plan_panel(g, panel, lanes, tables, number - start)
        for group in range(
            own.first_block // group_blocks, (own.last_block + group_blocks - 1) // group_blocks
        ):
            first_block = max(own.first_block - group * group_blocks, 0)
            last_block = min(own.last_block - group * group_blocks, group_blocks)
            for part in range(parts):
                lower, upper, ending = -no_bound, no_bound, 0
                if part == parts - 1:
                    lower, upper, ending = low, high, code
                slab = Slab(
                    *(group, first_block, last_block, depth * part // parts, depth * (part + 1) // parts)
                )
                for number in range(start, end):
                    first = own.first_column + number * width
                    panel = panel_from(g, first, min(width, own.last_column - first))
                    x_at = group * g.channels * plane
                    if in_place and panel.together and panel.columns == width:
                        b, b_row = x, plane
                        b_at = x_at + (panel.image * g.groups * g.channels + slab.k) * plane + panel.position
                    else:
                        b, b_at, b_row = gathered, 0, width
                        gather(g, x, x_at, slab.k, slab.k_end, tables, number - start, gathered)
                    multiply_panel(
                        *(g, slab, panel, packed, b, b_at, b_row, biased, bias),
                        *(lower, upper, ending, y, spread, spill),
                    )


@parallel
def pack(
    task: int,
    tasks: int,
    weight: Any,
    groups: int,
    outputs: int,
    depth: int,
    row_step: int,
    depth_step: int,
    packed: Any,
) -> None:
    """Pack a flat weight, for every group (O, K) with its elements so many steps apart, for `convolve`.

    For every group and every part of the depth, blocks of ROWS rows: what is read in turn lies in turn.
    """
    group_blocks = (outputs + ROWS - 1) // ROWS
    blocks = groups * group_blocks
    parts = (depth + BLOCK_DEPTH - 1) // BLOCK_DEPTH
    for block in range(blocks * task // tasks, blocks * (task + 1) // tasks):
        group = block // group_blocks
        own = block - group * group_blocks
        first = group * outputs * depth + own * ROWS * row_step
        rows = min(ROWS, outputs - own * ROWS)
        for part in range(parts):
            k, k_end = depth * part // parts, depth * (part + 1) // parts
            at = ((group * depth + k) * group_blocks + own * (k_end - k)) * ROWS
            pack_rows(weight, first + k * depth_step, rows, k_end - k, row_step, depth_step, packed, at)


# ---- the launch ------------------------------------------------------------------------------------


def pack_filters(weight: Array, groups: int, turned: bool = False) -> Array:
    """Return a weight (G O, C, KH, KW) packed for `convolve`; turned: that of (G C, O), for 1x1 kernels."""
    rows, depth = weight.shape[0] // groups, weight[0].size
    steps = depth, 1
    if turned:
        rows, depth, steps = depth, rows, (1, depth)
    packed = np.empty(groups * -(-rows // ROWS) * ROWS * depth, weight.dtype)
    pack(tasks_for(weight.size), contiguous(weight).reshape(-1), groups, rows, depth, *steps, packed)
    return packed


class Plan(NamedTuple):
    """What follows from the shapes: how `convolve` is launched, and on what.

    Attributes:
        tasks, across: the grid of tasks, see `convolve`.
        in_place: whether x itself is the matrix.
        out_shape: the output's shape.
        geometry: the numbers of `Geometry`.
    """

    tasks: int
    across: int
    in_place: bool
    out_shape: Shape4
    geometry: Array


@lru_cache(maxsize=1024)
def make_plan(
    input_shape: Shape4, outputs: int, window: Window, groups: int, dtype: np.dtype[Any], threads: int
) -> Plan:
    """Plan a convolution of this type for a number of threads."""
    g = describe(input_shape, outputs, window, groups)
    out_shape = g.batch, outputs, g.out_height, g.out_width
    positions = g.out_height * g.out_width
    in_place = is_pointwise(window)
    if in_place:  # the planes may as well be single rows
        g = g._replace(height=1, width=positions, out_height=1, out_width=positions)
    depth = g.channels * math.prod(window.kernel)
    tasks = max(1, min(threads, math.prod(out_shape) * depth // SMALLEST_TASK))
    across = split(tasks, groups * -(-g.outputs // ROWS), g.batch * positions, lanes_of(dtype))
    return Plan(tasks, across, in_place, out_shape, as_numbers(g))


def split(tasks: int, blocks: int, columns: int, lanes: int) -> int:
    """Return into how many parts to cut the columns; the blocks of rows are cut into the remaining factor.

    Cut columns are gathered once; where the rows are cut, every part gathers all columns. But few columns do
    not come out even, and single ones beyond a vector cost little.
    """

    def longest(across: int) -> float:
        """The time of the task that has most to do, in columns of blocks."""
        most = columns if across == 1 else -(-columns // lanes // across) * lanes
        return most * (-(-blocks * across // tasks) + GATHERING)

    return min((across for across in range(1, tasks + 1) if tasks % across == 0), key=longest)


def launch(plan: Plan, x: Array, packed: Array, bias: Array | None, y: Array, activation: str | None) -> None:
    """Run `convolve` into y."""
    convolve(
        plan.tasks,
        plan.across,
        plan.in_place,
        contiguous(x).reshape(-1),
        packed,
        bias is not None,
        _zeros(x.dtype) if bias is None else contiguous(bias),
        y.reshape(-1),
        plan.geometry,
        *ending_of(x.dtype, activation),
    )


@cache
def ending_of(dtype: np.dtype[Any], activation: str | None) -> tuple[Any, Any, int]:
    """What a tile ends with: two bounds, and an activation's code."""
    low, high = CLAMPS.get(activation, CLAMPS[None])
    return dtype.type(low), dtype.type(high), CODES.get(activation or "", 0)


@cache
def _zeros(dtype: np.dtype[Any]) -> Array:
    return np.zeros(STRIP_ROWS, dtype)
