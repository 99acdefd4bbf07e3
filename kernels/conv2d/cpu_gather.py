"""Panels of a convolution's columns, gathered from the input planes.

    X[k, column] = x[n, c, i SH + p DH - top, j SW + q DW - left],   k = (c, p, q), column = (n, i, j)

The columns of the whole batch are numbered through and taken in panels of a tile's width, so that a panel may
hold the end of one image and the start of the next. A panel's columns fall into chunks: at most a vector's
length, all within one output row. For a tap (p, q), a chunk is a piece of an input row, and what of it lies
in the padding is masked out of one vector load. Which row it is depends on p alone, which columns, and the
mask, on q: two small tables per panel.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.conv2d.cpu_geometry import Geometry
from kernels.cpu.compilation import compiled
from kernels.cpu.gemm import columns_of_tile
from kernels.cpu.simd import INDEX, VectorBuilder, vector_lanes


class Panel(NamedTuple):
    """Columns that a tile takes at once.

    Attributes:
        first: the first one's number.
        columns: how many.
        image, position: where the first one lies: its image n, and i OW + j.
        together: whether all of them lie in one image.
    """

    first: int
    columns: int
    image: int
    position: int
    together: bool


@compiled
def panel_from(g: Geometry, first: int, columns: int) -> Panel:
    """The panel of so many columns from `first` on."""
    positions = g.out_height * g.out_width
    image = first // positions
    position = first - image * positions
    return Panel(first, columns, image, position, position + columns <= positions)


class Tables(NamedTuple):
    """Where the columns of some panels lie in x; the first axis of all tables is the panel's number.

    Attributes:
        chunks: how many chunks a panel has.
        targets: [chunk]: where in the panel it begins.
        row_offsets: [p, chunk]: offset of the input row from its channel's first plane.
        row_masks: [p, chunk]: whether the row lies in the image (-1 or 0).
        column_offsets: [q, chunk]: offset in the row.
        column_masks: [q, chunk]: the mask of what lies in the image.
    """

    chunks: Any
    targets: Any
    row_offsets: Any
    row_masks: Any
    column_offsets: Any
    column_masks: Any


@compiled
def make_tables(g: Geometry, panels: int, width: int) -> Tables:
    """Make room for the tables of so many panels of at most `width` columns."""
    return Tables(
        np.empty(panels, np.intp),
        np.empty((panels, width), np.intp),
        np.empty((panels, g.kernel_height, width), np.intp),
        np.empty((panels, g.kernel_height, width), np.intp),
        np.empty((panels, g.kernel_width, width), np.intp),
        np.empty((panels, g.kernel_width, width), np.intp),
    )


@compiled
def span(stride: int) -> int:
    """How many elements of the input one of the output takes in a mask."""
    return stride if stride == 2 or stride == 4 else 1


@compiled(borrowing=True)
def plan_panel(g: Geometry, panel: Panel, lanes: int, tables: Tables, s: int) -> None:
    """Fill the tables' part s for a panel."""
    positions = g.out_height * g.out_width
    chunk = 0
    done = 0
    while done < panel.columns:
        n = (panel.first + done) // positions
        position = panel.first + done - n * positions
        i = position // g.out_width
        j = position - i * g.out_width
        length = min(lanes, g.out_width - j, panel.columns - done)
        tables.targets[s, chunk] = done
        for p in range(g.kernel_height):
            row = i * g.stride_down + p * g.dilation_down - g.top
            tables.row_offsets[s, p, chunk] = n * g.groups * g.channels * g.height * g.width + row * g.width
            tables.row_masks[s, p, chunk] = -1 if 0 <= row < g.height else 0
        for q in range(g.kernel_width):
            column = j * g.stride_across + q * g.dilation_across - g.left
            tables.column_offsets[s, q, chunk] = column
            tables.column_masks[s, q, chunk] = mask_of(column, length, g.width, g.stride_across)
        chunk += 1
        done += length
    tables.chunks[s] = chunk


@compiled
def mask_of(column: int, length: int, width: int, stride: int) -> int:
    """The bits of what lies in a row of `width` elements, of `length` elements from `column` on."""
    begin = min(length, max(0, (stride - 1 - column) // stride))
    end = max(begin, min(length, (width - 1 - column) // stride + 1))
    if end == begin:
        return 0
    bits: int = (1 << ((end - 1) * span(stride) + 1)) - (1 << (begin * span(stride)))
    return bits


def _make_load(stride: int) -> Any:
    """Return the intrinsic that copies every `stride`-th element (1, 2 or 4) of a masked span."""

    def load_span(
        typing_context: Any, target: Any, target_at: Any, source: Any, source_at: Any, mask: Any
    ) -> Any:
        """One vector to target[i:]: of `stride` vectors at source[j:], every stride-th element.

        Bit b of the mask says whether source[j + b] is read; what is not is zero.
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            target, target_at, source, source_at, mask = arguments
            simd = VectorBuilder(context, builder, signature.args[0])
            first = simd.address(signature.args[2], source, source_at)
            vectors = []
            for i in range(stride):
                bits = builder.trunc(builder.lshr(mask, INDEX(i * simd.lanes)), ir.IntType(simd.lanes))
                vectors.append(simd.load_masked(simd.after(first, i * simd.lanes), bits))
            while len(vectors) > 1:
                vectors = [
                    simd.shuffle(vectors[i], vectors[i + 1], range(0, 2 * simd.lanes, 2))
                    for i in range(0, len(vectors), 2)
                ]
            simd.store(vectors[0], simd.address(signature.args[0], target, target_at))
            return context.get_dummy_value()

        return types.void(target, types.intp, source, types.intp, types.intp), emit

    return intrinsic(load_span)


_load, _load_every_second, _load_every_fourth = (_make_load(stride) for stride in (1, 2, 4))


@compiled(borrowing=True)
def gather(
    g: Geometry, x: Any, x_at: int, first: int, last: int, tables: Tables, s: int, gathered: Any
) -> None:
    """Write rows first .. last - 1 of X for the columns of panel s; x_at: where the group's planes begin."""
    width = columns_of_tile(x)
    lanes = vector_lanes(x)
    targets, chunks = tables.targets[s], tables.chunks[s]
    row_offsets, row_masks = tables.row_offsets[s], tables.row_masks[s]
    column_offsets, column_masks = tables.column_offsets[s], tables.column_masks[s]
    stride, plane = g.stride_across, g.height * g.width
    taps = g.kernel_height * g.kernel_width
    c = first // taps
    p = (first - c * taps) // g.kernel_width
    q = first - c * taps - p * g.kernel_width
    for k in range(first, last):
        base = x_at + c * plane
        to = (k - first) * width
        for chunk in range(chunks):
            at = base + row_offsets[p, chunk] + column_offsets[q, chunk]
            mask = row_masks[p, chunk] & column_masks[q, chunk]
            target = to + targets[chunk]
            if stride == 1:
                _load(gathered, target, x, at, mask)
            elif stride == 2:
                _load_every_second(gathered, target, x, at, mask)
            elif stride == 4:
                _load_every_fourth(gathered, target, x, at, mask)
            else:
                for lane in range(lanes):
                    gathered[target + lane] = x[at + lane * stride] if (mask >> lane) & 1 else 0
        q += 1
        if q == g.kernel_width:
            q = 0
            p += 1
            if p == g.kernel_height:
                p = 0
                c += 1
