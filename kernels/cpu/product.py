"""C = A B for matrices as they lie in memory: A packed on the way into the register tile, B read in place.

Panels of B, a tile wide, take turns for blocks of A's rows. The inner dimension is cut into parts whose
piece of a panel stays in the first-level cache; they depend on the shape alone and are added up in order.

Source: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34 (2008),
section 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cpu.compilation import compiled, parallel, tasks_for
from kernels.cpu.gemm import NARROW, ROWS, STRIP_ROWS, columns_of_tile, pack_rows, strip, tile_columns
from kernels.cpu.simd import copy_partial, vector_lanes

# Length of the inner dimension's parts, and how many blocks of rows are packed at once.
PART, BLOCKS = 128, 64
# A single block of rows only waits for a B of so many bytes, which no cache holds. Short parts then let the
# processor's prefetching follow every row of a panel.
SHORT_PART, FAR_AWAY = 16, 32 * 2**20
# All columns of a B of so few rows stay in a cache close by. Then C, which is most of the traffic, is written
# one strip of rows after the other.
FEW_ROWS = 16
# Multiply-adds that are worth a second thread.
SMALLEST_TASK = 1 << 16


@compiled(borrowing=True)
def copy_columns(b: Any, b_at: int, b_row: int, rows: int, columns: int, panel: Any, panel_row: int) -> None:
    """Copy `rows` rows of `columns` elements into a panel that may be read to the end of a vector."""
    lanes = vector_lanes(b)
    zero = b.dtype.type(0)
    for k in range(rows):
        for j in range(0, columns, lanes):
            copy_partial(panel, k * panel_row + j, b, b_at + k * b_row + j, columns - j, zero)


@parallel
def multiply(
    task: int, tasks: int, across: int, a: Any, a_row: int, a_column: int, b: Any, c: Any, shape: Any
) -> None:
    """C = A B for flat arrays; A[i, k] = a[i a_row + k a_column], B and C row-major.

    Args:
        task: which of the tasks.
        tasks: how many; a grid, `across` of them share C's columns, the others its rows.
        across: divides `tasks`.
        a: A's elements.
        a_row: elements between A's rows.
        a_column: elements between A's columns.
        b: B.
        c: C.
        shape: rows of A and C, the inner dimension (at least 1), columns of B and C, a part's length, and how
            many blocks of rows are packed at once.
    """
    rows, depth, columns, at_once = shape[0], shape[1], shape[2], shape[4]
    width = columns_of_tile(b)
    blocks, panels = (rows + ROWS - 1) // ROWS, (columns + width - 1) // width
    parts = (depth + shape[3] - 1) // shape[3]
    down = tasks // across
    first_block, last_block = blocks * (task // across) // down, blocks * (task // across + 1) // down
    first_panel, last_panel = panels * (task % across) // across, panels * (task % across + 1) // across
    packed = np.empty(at_once * PART * ROWS, b.dtype)
    copied = np.empty(PART * (width + vector_lanes(b)), b.dtype)
    spill = np.empty(NARROW * STRIP_ROWS, b.dtype)
    zeros = np.zeros(STRIP_ROWS, b.dtype)
    bound = b.dtype.type(np.inf)
    for start in range(first_block, last_block, at_once):
        end = min(start + at_once, last_block)
        for part in range(parts):
            k, k_end = depth * part // parts, depth * (part + 1) // parts
            for block in range(start, end):
                count = min(ROWS, rows - block * ROWS)
                at = block * ROWS * a_row + k * a_column
                pack_rows(
                    a, at, count, k_end - k, a_row, a_column, packed, (block - start) * (k_end - k) * ROWS
                )
            for panel in range(first_panel, last_panel):
                first = panel * width
                count = min(width, columns - first)
                source, source_at, source_row = b, k * columns + first, columns
                if count < width:
                    copy_columns(b, source_at, columns, k_end - k, count, copied, width)
                    source, source_at, source_row = copied, 0, width
                for row in range(start * ROWS, min(rows, end * ROWS), STRIP_ROWS):
                    taken = min(STRIP_ROWS, min(rows, end * ROWS) - row)
                    strip(
                        *(k_end - k, packed, (row - start * ROWS) * (k_end - k)),
                        *(source, source_at, source_row, c, row * columns + first, columns),
                        *(taken, count, part > 0, zeros, 0, -bound, bound, spill),
                    )


def product(a: Array, a_steps: tuple[int, int], b: Array, c: Array) -> None:
    """Write A B to c (M, N); b (K, N) and c are contiguous, A's steps along both axes are in elements."""
    rows, columns = c.shape
    depth = b.shape[0]
    if depth == 0 or c.size == 0:
        c[...] = 0
        return
    part = SHORT_PART if rows <= ROWS and b.nbytes > FAR_AWAY else PART
    at_once = STRIP_ROWS // ROWS if depth <= FEW_ROWS else BLOCKS
    tasks = tasks_for(c.size * depth, SMALLEST_TASK)
    blocks, panels = -(-rows // ROWS), -(-columns // tile_columns(c.dtype))
    ways = [across for across in range(1, tasks + 1) if tasks % across == 0]
    across = min(ways, key=lambda across: -(-panels // across) * -(-blocks * across // tasks))
    multiply(
        tasks,
        across,
        a.reshape(-1),
        *a_steps,
        b.reshape(-1),
        c.reshape(-1),
        np.array((rows, depth, columns, part, at_once)),
    )
