"""Bands of planes: rows of the source read into a buffer, sorted by phase, and the target's rows written.

`phases.py` says what a band is, and that a buffer may be overrun by SLACK vectors.

The functions of a band become part of the kernel that calls them: handing over a layout of thirty numbers
costs more than the work on a small plane.
"""

from __future__ import annotations

from typing import Any

from kernels.cpu.compilation import compiled
from kernels.cpu.phases import Axis, Layout
from kernels.cpu.simd import (
    copy_even,
    copy_partial,
    copy_partial_even,
    copy_vector,
    fill_vector,
    store_interleaved,
    store_partial,
    vector_lanes,
)


@compiled(inline="always")
def band_rows(layout: Layout, band: int) -> int:
    """Return how many rows a band has."""
    return min(layout.band, layout.rows.steps - band * layout.band)


@compiled(inline="always")
def load_band(layout: Layout, numbers: Any, band: int, x: Any, group: int, buffer: Any, fill: Any) -> None:
    """Read the rows of a group's source planes that a band needs, sorted by phase.

    x: all planes, flat; group: which ones; fill: what stands for the elements outside the planes.
    """
    rows, columns = layout.rows, layout.columns
    first, count = band * layout.band * rows.source_stride, band_rows(layout, band) + rows.reach
    at = 0
    for plane in range(group * layout.sources, (group + 1) * layout.sources):
        source = plane * rows.source * columns.source
        for i in range(layout.row_phase_count):
            row = first + numbers[layout.row_phases + i] - rows.source_before
            for j in range(layout.column_phase_count):
                column = numbers[layout.column_phases + j] - columns.source_before
                _load_phase(layout, x, source, row, count, column, buffer, at, fill)
                at += (layout.band + rows.reach) * layout.pitch


@compiled(inline="always")
def _load_phase(
    layout: Layout, x: Any, source: int, row: int, count: int, column: int, buffer: Any, at: int, fill: Any
) -> None:
    """Read `count` rows of one phase, from coordinates (row, column) on.

    Writing is in ascending order and in whole vectors: what a row writes too much the next one overwrites.
    """
    rows, columns = layout.rows, layout.columns
    above = min(steps_to(0, row, rows.source_stride), count)
    below = min(steps_to(rows.source, row, rows.source_stride), count)
    left = min(steps_to(0, column, columns.source_stride), layout.pitch)
    right = min(steps_to(columns.source, column, columns.source_stride), layout.pitch)
    if above == below or left == right:
        fill_run(buffer, at, at + count * layout.pitch, fill)
        return
    fill_run(buffer, at, at + above * layout.pitch + left, fill)
    start = at + above * layout.pitch + left
    first = (
        source + (row + above * rows.source_stride) * columns.source + column + left * columns.source_stride
    )
    row_step, step = rows.source_stride * columns.source, columns.source_stride
    pitch, height, width = layout.pitch, below - above, right - left
    if step == 1:
        copy_rows(buffer, start, pitch, x, first, row_step, height, width, fill)
    elif step == 2:
        _copy_rows_even(buffer, start, pitch, x, first, row_step, height, width, fill)
    else:
        _copy_rows_apart(buffer, start, pitch, x, first, row_step, step, height, width, fill)
    fill_run(buffer, at + (below - 1) * layout.pitch + right, at + count * layout.pitch, fill)


@compiled(inline="always")
def steps_to(end: int, start: int, stride: int) -> int:
    """Return how many of start, start + stride, start + 2 stride, ... lie before `end`."""
    return max(0, -((start - end) // stride))


@compiled(borrowing=True)
def fill_run(buffer: Any, start: int, end: int, value: Any) -> None:
    """Write `value` to buffer[start:end] and up to a vector beyond."""
    for i in range(start, end, vector_lanes(buffer)):
        fill_vector(buffer, i, value)


@compiled(borrowing=True)
def copy_rows(
    buffer: Any, at: int, pitch: int, x: Any, first: int, row_step: int, rows: int, count: int, fill: Any
) -> None:
    """buffer[at + u pitch + i] = x[first + u row_step + i] for i < count, and `fill` up to the next row."""
    lanes = vector_lanes(buffer)
    whole = count // lanes * lanes
    for u in range(rows):
        target, source = at + u * pitch, first + u * row_step
        for i in range(0, whole, lanes):
            copy_vector(buffer, target + i, x, source + i)
        copy_partial(buffer, target + whole, x, source + whole, count - whole, fill)
        for i in range(whole + lanes, pitch, lanes):
            fill_vector(buffer, target + i, fill)


@compiled(borrowing=True)
def _copy_rows_even(
    buffer: Any, at: int, pitch: int, x: Any, first: int, row_step: int, rows: int, count: int, fill: Any
) -> None:
    """buffer[at + u pitch + i] = x[first + u row_step + 2 i] for i < count, and `fill` up to the next row."""
    lanes = vector_lanes(buffer)
    whole = (count - 1) // lanes * lanes
    for u in range(rows):
        target, source = at + u * pitch, first + u * row_step
        for i in range(0, whole, lanes):
            copy_even(buffer, target + i, x, source + 2 * i)
        copy_partial_even(buffer, target + whole, x, source + 2 * whole, count - whole, fill)
        for i in range(whole + lanes, pitch, lanes):
            fill_vector(buffer, target + i, fill)


@compiled(borrowing=True)
def _copy_rows_apart(
    buffer: Any,
    at: int,
    pitch: int,
    x: Any,
    first: int,
    row_step: int,
    step: int,
    rows: int,
    count: int,
    fill: Any,
) -> None:
    """buffer[at + u pitch + i] = x[first + u row_step + i step] for i < count, `fill` up to the next row."""
    for u in range(rows):
        target, source = at + u * pitch, first + u * row_step
        for i in range(count):
            buffer[target + i] = x[source + i * step]
        fill_run(buffer, target + count, target + pitch, fill)


@compiled(inline="always")
def store_band(layout: Layout, band: int, buffer: Any, y: Any, plane: int) -> None:
    """Write a band's target phases (one after the other in `buffer`) to the rows of one target plane."""
    rows, columns = layout.rows, layout.columns
    first = band * layout.band * rows.target_stride - rows.target_before
    for r in range(rows.target_stride):
        above = steps_to(0, first + r, rows.target_stride)
        below = min(steps_to(rows.target, first + r, rows.target_stride), band_rows(layout, band))
        at = r * columns.target_stride * layout.target_size + above * layout.pitch
        start = (plane * rows.target + first + r + above * rows.target_stride) * columns.target
        row_step = rows.target_stride * columns.target
        if columns.target_stride == 1:
            at += columns.target_before
            store_rows(buffer, at, layout.pitch, y, start, row_step, below - above, columns.target)
        elif columns.target_stride == 2:
            # Column 0 is of the phase of the padding before it, column 1 of the other one.
            step, swapped = layout.target_size, columns.target_before % 2
            even = at + columns.target_before // 2 + swapped * step
            odd = at + (columns.target_before + 1) // 2 + (1 - swapped) * step
            _interleave_two(
                buffer, even, odd, layout.pitch, y, start, row_step, below - above, columns.target
            )
        else:
            step = layout.target_size
            _interleave(buffer, at, step, layout.pitch, columns, y, start, row_step, below - above)


@compiled(borrowing=True)
def store_rows(
    buffer: Any, at: int, pitch: int, y: Any, start: int, row_step: int, rows: int, count: int
) -> None:
    """y[start + u row_step + i] = buffer[at + u pitch + i] for i < count, and nothing beyond."""
    lanes = vector_lanes(buffer)
    whole = count // lanes * lanes
    for u in range(rows):
        target, source = start + u * row_step, at + u * pitch
        for i in range(0, whole, lanes):
            copy_vector(y, target + i, buffer, source + i)
        if whole < count:
            store_partial(y, target + whole, buffer, source + whole, count - whole)


@compiled(borrowing=True)
def _interleave_two(
    buffer: Any, even: int, odd: int, pitch: int, y: Any, start: int, row_step: int, rows: int, count: int
) -> None:
    """Write rows of y from two phases: even columns from buffer[even:], odd ones from buffer[odd:]."""
    pair = 2 * vector_lanes(y)
    for u in range(rows):
        target, shift = start + u * row_step, u * pitch
        for i in range(0, count, pair):
            store_interleaved(y, target + i, buffer, even + shift + i // 2, odd + shift + i // 2, count - i)


@compiled(borrowing=True)
def _interleave(
    buffer: Any,
    at: int,
    phase_step: int,
    pitch: int,
    columns: Axis,
    y: Any,
    start: int,
    row_step: int,
    rows: int,
) -> None:
    """Write rows of y from the horizontal phases, whose buffers lie `phase_step` apart."""
    for u in range(rows):
        target, source = start + u * row_step, at + u * pitch
        for r in range(columns.target_stride):
            left = steps_to(0, r - columns.target_before, columns.target_stride)
            right = steps_to(columns.target, r - columns.target_before, columns.target_stride)
            for i in range(left, right):
                column = i * columns.target_stride + r - columns.target_before
                y[target + column] = buffer[source + r * phase_step + i]
