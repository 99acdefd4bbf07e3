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

Both are the same work: read rows of the source planes into a buffer by phase, combine, and write the
target's phases to its rows. A band is as many rows as keep the buffers in the first-level cache. Here is
where all that lies; `bands.py` reads and writes bands, `band_sums.py` combines by multiplying and adding.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array
from kernels.cpu.compilation import compiled
from kernels.cpu.records import as_numbers, as_record, size_of
from kernels.cpu.simd import VECTOR_BYTES
from kernels.window import Pair, Window

# Bytes that a band's buffers may take together, and how many vectors reads and writes may run past a buffer.
BAND_BYTES = 24 * 1024
SLACK = 8


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

    Python makes it as one array of integers, which kernels take, and behind them its lists. A group is
    `sources` source planes from which `targets` target planes are made.

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
        row_phase_count: how many of the source's vertical phases some tap meets.
        column_phase_count: how many horizontal ones.
        target_phases: how many phases the target has.
        tap_count: how many taps there are.
        row_phases: where in the array the list of the vertical phases is.
        column_phases: that of the horizontal ones.
        starts: that of where each target phase's taps begin, and where the last one's end.
        offsets: that of where each tap's elements lie in the source buffer, ordered by target phase.
        taps: that of the taps' numbers p KW + q (of source plane m of a group: m KH KW + p KW + q).
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
    row_phase_count: int
    column_phase_count: int
    target_phases: int
    tap_count: int
    row_phases: int
    column_phases: int
    starts: int
    offsets: int
    taps: int


class Tap(NamedTuple):
    """Where a tap's elements lie.

    Attributes:
        number: see `Layout.taps`.
        offset: see `Layout.offsets`.
    """

    number: int
    offset: int


@functools.lru_cache(maxsize=1024)
def forward_layout(window: Window, size: Pair, targets: int, itemsize: int) -> Array:
    """Return the layout (as integers) from planes of `size` to the window's outputs.

    Args:
        window: the window.
        size: (H, W) of the source planes.
        targets: target planes per source plane.
        itemsize: bytes per element.
    """
    distances = _distances(window)
    rows, columns = (
        Axis(
            source=size[axis],
            target=output,
            source_stride=window.stride[axis],
            target_stride=1,
            source_before=window.padding[axis][0],
            target_before=0,
            steps=output,
            reach=distances[axis][-1] // window.stride[axis],
        )
        for axis, output in enumerate(window.output_size(size))
    )
    row_phases, column_phases = (
        sorted({d % s for d in line}) for line, s in zip(distances, window.stride, strict=True)
    )
    band = _band_rows(rows, columns, len(row_phases) * len(column_phases), 1, itemsize)

    taps = []
    for number, tap in enumerate(itertools.product(*distances)):
        (row, column), (row_phase, column_phase) = _numbers_and_phases(tap, window.stride)
        phase = row_phases.index(row_phase) * len(column_phases) + column_phases.index(column_phase)
        taps.append(Tap(number, (phase * (band + rows.reach) + row) * _pitch(columns) + column))
    return _layout(rows, columns, (1, targets), band, (row_phases, column_phases), [taps], itemsize)


@functools.lru_cache(maxsize=1024)
def backward_layout(window: Window, size: Pair, sources: int, itemsize: int) -> Array:
    """Return the layout (as integers) from the window's outputs back to planes of `size`.

    Args:
        window: the window.
        size: (H, W) of the target planes.
        sources: source planes per target plane.
        itemsize: bytes per element.
    """
    distances = _distances(window)
    rows, columns = (
        _backward_axis(output, length, stride, before, line[-1])
        for output, length, stride, (before, _), line in zip(
            window.output_size(size), size, window.stride, window.padding, distances, strict=True
        )
    )
    phases = window.stride[0] * window.stride[1]
    band = _band_rows(rows, columns, sources, phases, itemsize)
    by_phase: list[list[Tap]] = [[] for _ in range(phases)]
    for number, (m, *tap) in enumerate(itertools.product(range(sources), *distances)):
        (row, column), (row_phase, column_phase) = _numbers_and_phases(tap, window.stride)
        first = m * (band + rows.reach) * _pitch(columns)
        offset = first + (rows.reach - row) * _pitch(columns) + columns.reach - column
        by_phase[row_phase * window.stride[1] + column_phase].append(Tap(number, offset))
    return _layout(rows, columns, (sources, 1), band, ([0], [0]), by_phase, itemsize)


def _backward_axis(output: int, length: int, stride: int, before: int, farthest: int) -> Axis:
    """One axis from `output` outputs to `length` inputs; the farthest tap is at this distance."""
    # The first `skipped` numbers lie in the padding, and no target takes them.
    reach, skipped = farthest // stride, before // stride
    return Axis(
        source=output,
        target=length,
        source_stride=1,
        target_stride=stride,
        source_before=reach - skipped,
        target_before=before % stride,
        steps=(before + length - 1) // stride + 1 - skipped,
        reach=reach,
    )


def _distances(window: Window) -> tuple[list[int], list[int]]:
    """How far each tap lies from the first, along both axes."""
    down, across = ([d * i for i in range(k)] for d, k in zip(window.dilation, window.kernel, strict=True))
    return down, across


def _numbers_and_phases(distances: Sequence[int], stride: Pair) -> tuple[Pair, Pair]:
    """The quotients d // S and the remainders d % S of a tap's distances down and across."""
    (down, across), (stride_down, stride_across) = distances, stride
    return (down // stride_down, across // stride_across), (down % stride_down, across % stride_across)


def _pitch(columns: Axis) -> int:
    """Elements from one row to the next in the buffers."""
    return columns.steps + columns.reach


def _band_rows(rows: Axis, columns: Axis, source_buffers: int, target_buffers: int, itemsize: int) -> int:
    """How many rows of every buffer fit the budget; the bands of a plane are of about equal height."""
    room = BAND_BYTES // (itemsize * _pitch(columns)) - source_buffers * rows.reach
    most = max(1, room // (source_buffers + target_buffers))
    bands = -(-rows.steps // most)
    return -(-rows.steps // bands)


def _layout(
    rows: Axis,
    columns: Axis,
    planes: Pair,
    band: int,
    source_phases: tuple[list[int], list[int]],
    by_phase: Sequence[Sequence[Tap]],
    itemsize: int,
) -> Array:
    """Put a layout together.

    Args:
        rows: the vertical axis.
        columns: the horizontal axis.
        planes: source and target planes per group.
        band: rows in a band.
        source_phases: those of the source that some tap meets, along both axes.
        by_phase: the taps of every target phase.
        itemsize: bytes per element.
    """
    pitch, slack = _pitch(columns), SLACK * VECTOR_BYTES // itemsize
    source_buffers = planes[0] * len(source_phases[0]) * len(source_phases[1])
    taps = [tap for phase in by_phase for tap in phase]
    lists = [
        *source_phases,
        list(itertools.accumulate((len(phase) for phase in by_phase), initial=0)),
        [tap.offset for tap in taps],
        [tap.number for tap in taps],
    ]
    *places, _ = itertools.accumulate((len(numbers) for numbers in lists), initial=size_of(Layout))
    layout = Layout(
        rows,
        columns,
        *planes,
        band,
        -(-rows.steps // band),
        pitch,
        source_buffers * (band + rows.reach) * pitch + slack,
        band * pitch + slack,
        len(source_phases[0]),
        len(source_phases[1]),
        len(by_phase),
        len(taps),
        *places,
    )
    return np.array([*as_numbers(layout), *itertools.chain(*lists)], np.int64)


@compiled(inline="always")
def layout_of(numbers: Any) -> Layout:
    """Give the integers of a layout their names; its lists stay in the array."""
    layout: Layout = as_record(numbers, Layout)
    return layout
