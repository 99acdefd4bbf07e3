"""A sliding window over planes, laid out so that every tap reads contiguous memory; for the CPU kernels.

A window that moves by S over a line meets, with its tap at distance d, the elements S o + d for o = 0, 1, ...
Sort the line into S phases (phase r holds the elements S u + r by their numbers u), and the tap meets the
elements u = o + d // S of phase d % S: contiguous memory, for any stride and dilation. In a plane sorted by
both axes, its rows laid end to end with their padding between them, a tap's elements for all outputs are one
contiguous run. So a convolution or pooling is

    target[t] = combination over the taps k of source[offsets[k] + t]

over full vectors whatever the plane's width; the positions t between two rows compute nothing useful.

Seen from the input (`backward_layout`), element h = S u + r - before receives from the outputs o = u - d // S
through the taps with d % S = r: now the targets have phases and the source has one.

Both are the same work: read rows of the source planes into a buffer by phase (`load_band`), combine, and
write the target's phases to its rows (`store_band`). A band is as many rows as keep the buffers in the
first-level cache. A buffer may be overrun by SLACK vectors.

The functions of a band become part of the kernel that calls them: handing over a layout of thirty numbers
costs more than the work on a small plane.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from kernels.array import Array
from kernels.cpu.compilation import compiled
from kernels.cpu.simd import (
    VECTOR_BYTES,
    VectorBuilder,
    copy_even,
    copy_partial,
    copy_partial_even,
    copy_vector,
    fill_vector,
    store_interleaved,
    store_partial,
    vector_lanes,
)
from kernels.window import Pair, Window

# Bytes that a band's buffers may take together, and how many vectors reads and writes may run past a buffer.
BAND_BYTES = 24 * 1024
SLACK = 8
# The integers of a layout before its lists.
HEADER = 8 + 8 + 14


class Axis(NamedTuple):
    """One axis of the work: source element S u + r - source_before, target element T u + r - target_before.

    Attributes:
        source: the length of the source planes along it.
        target: the length of the target planes.
        source_stride: S; 1 where the source has one phase.
        target_stride: T; 1 where the target has one phase.
        source_before: elements of padding before the source.
        target_before: how many elements the first target lies behind the start of the phases.
        steps: how many numbers u the targets take.
        reach: how much further the source's numbers go.
    """

    source: int
    target: int
    source_stride: int
    target_stride: int
    source_before: int
    target_before: int
    steps: int
    reach: int


class Layout(NamedTuple):
    """All that the compiled functions need to know about the work on one group of planes.

    Python makes it as one array of integers, which kernels take; `layout_of` gives its parts their names.
    A group is `sources` source planes from which `targets` target planes are made.

    Attributes:
        rows: the vertical axis.
        columns: the horizontal axis.
        sources: source planes per group.
        targets: target planes per group.
        band: rows (numbers u) in a band; the last band of a plane may have fewer.
        bands: bands per plane.
        pitch: elements from one row to the next in the buffers.
        source_size: elements of the source buffer, the slack included.
        target_size: elements of one target phase's buffer, the slack included.
        row_phases: how many of the source's vertical phases some tap meets; their list is `numbers[HEADER:]`.
        column_phases: how many horizontal ones; their list follows.
        target_phases: the target's phases.
        starts: the list of where each target phase's taps begin, and where the last one's end.
        offsets: the list of where each tap's elements lie in the source buffer, ordered by target phase.
        taps: the list of the taps' numbers p KW + q (of source plane m of a group: m KH KW + p KW + q).
        tap_count: how many taps there are.
    """

    rows: Axis
    columns: Axis
    sources: int
    targets: int
    band: int
    bands: int
    pitch: int
    source_size: int
    target_size: int
    row_phases: int
    column_phases: int
    target_phases: int
    starts: int
    offsets: int
    taps: int
    tap_count: int


@functools.lru_cache(maxsize=1024)
def forward_layout(window: Window, size: Pair, targets: int, itemsize: int) -> Array:
    """Return the layout (as integers) from planes of `size` to the window's outputs.

    Args:
        window: the window.
        size: (H, W) of the source planes.
        targets: target planes per source plane.
        itemsize: bytes per element.
    """
    outputs = window.output_size(size)
    reaches = [
        d * (k - 1) // s for d, k, s in zip(window.dilation, window.kernel, window.stride, strict=True)
    ]
    rows, columns = (
        Axis(
            size[axis],
            outputs[axis],
            window.stride[axis],
            1,
            window.padding[axis][0],
            0,
            outputs[axis],
            reach,
        )
        for axis, reach in enumerate(reaches)
    )
    distances = _distances(window)
    row_phases, column_phases = (
        sorted({d % s for d in line}) for line, s in zip(distances, window.stride, strict=True)
    )
    pitch = columns.steps + columns.reach
    phases = len(row_phases) * len(column_phases)
    band = _band_rows(rows, pitch, phases, 1, itemsize)
    offsets = [
        (
            (
                row_phases.index(dy % window.stride[0]) * len(column_phases)
                + column_phases.index(dx % window.stride[1])
            )
            * (band + rows.reach)
            + dy // window.stride[0]
        )
        * pitch
        + dx // window.stride[1]
        for dy in distances[0]
        for dx in distances[1]
    ]
    by_phase = [list(enumerate(offsets))]
    return _layout(rows, columns, (1, targets), band, (row_phases, column_phases), by_phase, itemsize)


@functools.lru_cache(maxsize=1024)
def backward_layout(window: Window, size: Pair, sources: int, itemsize: int) -> Array:
    """Return the layout (as integers) from the window's outputs back to planes of `size`.

    Args:
        window: the window.
        size: (H, W) of the target planes.
        sources: source planes per target plane.
        itemsize: bytes per element.
    """
    outputs, distances = window.output_size(size), _distances(window)
    axes = []
    for length, output, stride, (before, _), line in zip(
        size, outputs, window.stride, window.padding, distances, strict=True
    ):
        # The first `skipped` numbers lie in the padding, and no target takes them.
        reach, skipped = line[-1] // stride, before // stride
        steps = (before + length - 1) // stride + 1 - skipped
        axes.append(Axis(output, length, 1, stride, reach - skipped, before % stride, steps, reach))
    rows, columns = axes
    pitch = columns.steps + columns.reach
    band = _band_rows(rows, pitch, sources, window.stride[0] * window.stride[1], itemsize)
    by_phase: list[list[Pair]] = [[] for _ in range(window.stride[0] * window.stride[1])]
    for m in range(sources):
        for number, (dy, dx) in enumerate((dy, dx) for dy in distances[0] for dx in distances[1]):
            row = m * (band + rows.reach) + rows.reach - dy // window.stride[0]
            offset = row * pitch + columns.reach - dx // window.stride[1]
            phase = dy % window.stride[0] * window.stride[1] + dx % window.stride[1]
            by_phase[phase].append((m * window.kernel[0] * window.kernel[1] + number, offset))
    return _layout(rows, columns, (sources, 1), band, ([0], [0]), by_phase, itemsize)


def _distances(window: Window) -> tuple[list[int], list[int]]:
    """How far each tap lies from the first, along both axes."""
    down, across = ([d * i for i in range(k)] for d, k in zip(window.dilation, window.kernel, strict=True))
    return down, across


def _band_rows(rows: Axis, pitch: int, source_buffers: int, target_buffers: int, itemsize: int) -> int:
    """How many rows of every buffer fit the budget; the bands of a plane are of about equal height."""
    room = BAND_BYTES // (itemsize * pitch) - source_buffers * rows.reach
    most = max(1, room // (source_buffers + target_buffers))
    bands = -(-rows.steps // most)
    return -(-rows.steps // bands)


def _layout(
    rows: Axis,
    columns: Axis,
    planes: Pair,
    band: int,
    source_phases: tuple[list[int], list[int]],
    by_phase: Sequence[Sequence[Pair]],
    itemsize: int,
) -> Array:
    """Put a layout together; by_phase: (tap, offset) of every tap by target phase."""
    pitch = columns.steps + columns.reach
    slack = SLACK * VECTOR_BYTES // itemsize
    buffers = planes[0] * len(source_phases[0]) * len(source_phases[1])
    flat = [entry for entries in by_phase for entry in entries]
    starts = HEADER + len(source_phases[0]) + len(source_phases[1])
    offsets = starts + len(by_phase) + 1
    layout = Layout(
        rows,
        columns,
        *planes,
        band,
        -(-rows.steps // band),
        pitch,
        buffers * (band + rows.reach) * pitch + slack,
        band * pitch + slack,
        len(source_phases[0]),
        len(source_phases[1]),
        len(by_phase),
        starts,
        offsets,
        offsets + len(flat),
        len(flat),
    )
    lists = [
        *source_phases[0],
        *source_phases[1],
        *itertools.accumulate((len(entries) for entries in by_phase), initial=0),
        *(offset for _, offset in flat),
        *(tap for tap, _ in flat),
    ]
    return np.array([*rows, *columns, *layout[2:], *lists], np.int64)


@compiled(inline="always")
def layout_of(n: Any) -> Layout:
    """Give the integers of a layout their names; its lists stay in the array."""
    rows = Axis(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7])
    columns = Axis(n[8], n[9], n[10], n[11], n[12], n[13], n[14], n[15])
    return Layout(
        rows,
        columns,
        n[16],
        n[17],
        n[18],
        n[19],
        n[20],
        n[21],
        n[22],
        n[23],
        n[24],
        n[25],
        n[26],
        n[27],
        n[28],
        n[29],
    )


def _make_add_taps(vectors: int) -> Any:
    """Return the intrinsic that computes `vectors` vectors of targets."""

    def add_taps(
        typing_context: Any,
        target: Any,
        target_at: Any,
        source: Any,
        source_at: Any,
        offsets: Any,
        offsets_at: Any,
        count: Any,
        weights: Any,
        weights_at: Any,
        start: Any,
    ) -> Any:
        """The vectors from target[target_at] on become start plus a sum over `count` (at least 1) taps k, of
        weights[weights_at + k] source[source_at + offsets[offsets_at + k]:].
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            target, target_at, source, source_at, offsets, offsets_at, count = arguments[:7]
            weights, weights_at, start = arguments[7:]
            kinds = signature.args
            simd = VectorBuilder(context, builder, kinds[0])
            source_first = simd.address(kinds[2], source, source_at)
            offsets_first = simd.address(kinds[4], offsets, offsets_at)
            weights_first = simd.address(kinds[7], weights, weights_at)
            target_first = simd.address(kinds[0], target, target_at)

            def step(k: Any, sums: Any) -> list[Any]:
                elements = simd.after(source_first, builder.load(simd.after(offsets_first, k)))
                weight = simd.broadcast(builder.load(simd.after(weights_first, k)))
                return [
                    simd.multiply_add(weight, simd.load(simd.after(elements, i * simd.lanes)), total)
                    for i, total in enumerate(sums)
                ]

            for i, total in enumerate(simd.loop(count, [simd.broadcast(start)] * vectors, step)):
                simd.store(total, simd.after(target_first, i * simd.lanes))
            return context.get_dummy_value()

        index = types.intp
        return types.void(
            target, index, source, index, offsets, index, index, weights, index, target.dtype
        ), emit

    return intrinsic(add_taps)


# Four sums at a time keep the multiply-add units busy; the rest of a band takes as few as it needs.
_add_taps_4, _add_taps_2, _add_taps_1 = _make_add_taps(4), _make_add_taps(2), _make_add_taps(1)


@compiled(inline="always")
def add_band(
    layout: Layout,
    numbers: Any,
    band: int,
    source: Any,
    weights: Any,
    weights_at: int,
    start: Any,
    target: Any,
) -> None:
    """Compute a band of all target phases: start + the taps' sum of weights[k] source[offsets[k] + t].

    weights: from `weights_at` on a number per tap, in the order of `layout.offsets`.
    """
    length = (band_rows(layout, band) - 1) * layout.pitch + layout.columns.steps
    for phase in range(layout.target_phases):
        at, first = phase * layout.target_size, numbers[layout.starts + phase]
        count = numbers[layout.starts + phase + 1] - first
        if count:
            _add_run(
                length,
                target,
                at,
                source,
                numbers,
                layout.offsets + first,
                count,
                weights,
                weights_at + first,
                start,
            )
        else:
            _fill(target, at, at + length, start)


@compiled(borrowing=True)
def _add_run(
    length: int,
    target: Any,
    at: int,
    source: Any,
    offsets: Any,
    offsets_at: int,
    count: int,
    weights: Any,
    weights_at: int,
    start: Any,
) -> None:
    """Compute target[at:][:length] and up to a vector beyond."""
    lanes = vector_lanes(target)
    t = 0
    while length - t > 2 * lanes:
        _add_taps_4(target, at + t, source, t, offsets, offsets_at, count, weights, weights_at, start)
        t += 4 * lanes
    if length - t > lanes:
        _add_taps_2(target, at + t, source, t, offsets, offsets_at, count, weights, weights_at, start)
    elif length > t:
        _add_taps_1(target, at + t, source, t, offsets, offsets_at, count, weights, weights_at, start)


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
        for i in range(layout.row_phases):
            row = first + numbers[HEADER + i] - rows.source_before
            for j in range(layout.column_phases):
                column = numbers[HEADER + layout.row_phases + j] - columns.source_before
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
    above = min(_steps_to(0, row, rows.source_stride), count)
    below = min(_steps_to(rows.source, row, rows.source_stride), count)
    left = min(_steps_to(0, column, columns.source_stride), layout.pitch)
    right = min(_steps_to(columns.source, column, columns.source_stride), layout.pitch)
    if above == below or left == right:
        _fill(buffer, at, at + count * layout.pitch, fill)
        return
    _fill(buffer, at, at + above * layout.pitch + left, fill)
    start = at + above * layout.pitch + left
    first = (
        source + (row + above * rows.source_stride) * columns.source + column + left * columns.source_stride
    )
    row_step = rows.source_stride * columns.source
    if columns.source_stride == 1:
        _copy_rows(buffer, start, layout.pitch, x, first, row_step, below - above, right - left, fill)
    elif columns.source_stride == 2:
        _copy_rows_even(buffer, start, layout.pitch, x, first, row_step, below - above, right - left, fill)
    else:
        for u in range(below - above):
            for i in range(right - left):
                buffer[start + u * layout.pitch + i] = x[first + u * row_step + i * columns.source_stride]
            _fill(buffer, start + u * layout.pitch + right - left, start + (u + 1) * layout.pitch, fill)
    _fill(buffer, at + (below - 1) * layout.pitch + right, at + count * layout.pitch, fill)


@compiled(inline="always")
def _steps_to(end: int, start: int, stride: int) -> int:
    """Return how many of start, start + stride, start + 2 stride, ... lie before `end`."""
    return max(0, -((start - end) // stride))


@compiled(borrowing=True)
def _fill(buffer: Any, start: int, end: int, value: Any) -> None:
    """Write `value` to buffer[start:end] and up to a vector beyond."""
    for i in range(start, end, vector_lanes(buffer)):
        fill_vector(buffer, i, value)


@compiled(borrowing=True)
def _copy_rows(
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


@compiled(inline="always")
def store_band(layout: Layout, band: int, buffer: Any, y: Any, plane: int) -> None:
    """Write a band's target phases (one after the other in `buffer`) to the rows of one target plane."""
    rows, columns = layout.rows, layout.columns
    first = band * layout.band * rows.target_stride - rows.target_before
    for r in range(rows.target_stride):
        above = _steps_to(0, first + r, rows.target_stride)
        below = min(_steps_to(rows.target, first + r, rows.target_stride), band_rows(layout, band))
        at = r * columns.target_stride * layout.target_size + above * layout.pitch
        start = (plane * rows.target + first + r + above * rows.target_stride) * columns.target
        row_step = rows.target_stride * columns.target
        if columns.target_stride == 1:
            store_rows(
                buffer,
                at + columns.target_before,
                layout.pitch,
                y,
                start,
                row_step,
                below - above,
                columns.target,
            )
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
            left = _steps_to(0, r - columns.target_before, columns.target_stride)
            right = _steps_to(columns.target, r - columns.target_before, columns.target_stride)
            for i in range(left, right):
                column = i * columns.target_stride + r - columns.target_before
                y[target + column] = buffer[source + r * phase_step + i]
