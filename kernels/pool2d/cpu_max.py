"""Maximum pooling in Numba, on planes sorted by phase: a tap is one step over full vectors.

Maxima and the winners' distances from the window's corner are kept in registers side by side.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from kernels.array import FLOATING, Array
from kernels.cpu.bands import band_rows, load_band, store_band
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.phases import Layout, forward_layout, layout_of
from kernels.cpu.simd import INDEX, VectorBuilder, vector_lanes
from kernels.memory import empty
from kernels.pool2d import max_pool2d_forward
from kernels.registry import implements
from kernels.window import Pair, Window


def _planes_fit(x: Array, window: Window) -> bool:
    """The winners' places within a plane are counted in 32 bits."""
    return bool(x.dtype in FLOATING and x.shape[2] * x.shape[3] < 2**31)


@implements(
    max_pool2d_forward,
    "phases",
    "padded planes in the cache, sorted by the stride",
    fits=_planes_fit,
    backend="cpu",
    compiled=True,
)
def max_pool2d_forward_phases(x: Array, window: Window) -> tuple[Array, Array]:
    """The value and the place of every window's first maximum."""
    size: Pair = x.shape[2:]
    layout = forward_layout(window, size, 1, x.itemsize)
    y = empty((*x.shape[:2], *window.output_size(size)), x.dtype)
    indices = empty(y.shape, np.int64)
    _maxima(
        tasks_for(y.size),
        layout,
        _tap_distances(window, size[1]),
        contiguous(x).ravel(),
        y.ravel(),
        indices.ravel(),
        _first_inside(window, size, 0),
        _first_inside(window, size, 1),
    )
    return y, indices


@functools.lru_cache(maxsize=1024)
def _tap_distances(window: Window, width: int) -> Array:
    """How far each tap lies from the window's first one in the flat plane: i DH W + j DW."""
    down, across = (np.arange(k) * d for k, d in zip(window.kernel, window.dilation, strict=True))
    return (down[:, None] * width + across).ravel().astype(np.int32)


@functools.lru_cache(maxsize=1024)
def _first_inside(window: Window, size: Pair, axis: int) -> Array:
    """The coordinate of every window's first tap inside the plane along one axis, -1 where none is."""
    starts = np.arange(window.output_size(size)[axis]) * window.stride[axis] - window.padding[axis][0]
    outside = np.maximum(-(starts // window.dilation[axis]), 0)  # taps before the plane
    first = starts + outside * window.dilation[axis]
    inside = (outside < window.kernel[axis]) & (first < size[axis])
    return np.where(inside, first, -1)


@parallel
def _maxima(
    task: int,
    tasks: int,
    numbers: Any,
    distances: Any,
    x: Any,
    y: Any,
    indices: Any,
    first_rows: Any,
    first_columns: Any,
) -> None:
    """Write the maximum of every window, and its place."""
    layout = layout_of(numbers)
    source = np.zeros(layout.source_size, x.dtype)
    best = np.zeros(layout.target_size, x.dtype)
    winner = np.zeros(layout.target_size, np.int32)
    jobs = y.size // (layout.rows.target * layout.columns.target) * layout.bands
    for job in range(jobs * task // tasks, jobs * (task + 1) // tasks):
        _maxima_of_band(
            job, numbers, distances, x, source, best, winner, y, indices, first_rows, first_columns
        )


@compiled(borrowing=True)
def _maxima_of_band(
    job: int,
    numbers: Any,
    distances: Any,
    x: Any,
    source: Any,
    best: Any,
    winner: Any,
    y: Any,
    indices: Any,
    first_rows: Any,
    first_columns: Any,
) -> None:
    """One band of one plane; the job says which."""
    layout = layout_of(numbers)
    plane, band = job // layout.bands, job % layout.bands
    load_band(layout, numbers, band, x, plane, source, x.dtype.type(-np.inf))
    length = (band_rows(layout, band) - 1) * layout.pitch + layout.columns.steps
    for t in range(0, length, 2 * vector_lanes(best)):
        _fold_maximum(best, winner, t, source, numbers, layout.offsets, distances, layout.tap_count)
    store_band(layout, band, best, y, plane)
    _store_places(layout, band, winner, indices, plane)
    _mend_empty_windows(layout, band, y, indices, plane, first_rows, first_columns)


@intrinsic
def _fold_maximum(
    typing_context: Any,
    best: Any,
    winner: Any,
    at: Any,
    source: Any,
    offsets: Any,
    offsets_at: Any,
    distances: Any,
    count: Any,
) -> Any:
    """Two vectors of best[at:] become the maxima over the taps k of source[at + offsets[offsets_at + k]:],
    and those of winner[at:] the distances[k] of the taps that won; 0 where nothing exceeds -inf.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        best, winner, at, source, offsets, offsets_at, distances, count = arguments
        kinds = signature.args
        simd = VectorBuilder(context, builder, kinds[0])
        whole = VectorBuilder(context, builder, kinds[1], simd.lanes)
        source_first = simd.address(kinds[3], source, at)
        offsets_first = simd.address(kinds[4], offsets, offsets_at)
        distances_first = simd.address(kinds[6], distances, INDEX(0))

        def step(k: Any, state: Any) -> list[Any]:
            elements = simd.after(source_first, builder.load(simd.after(offsets_first, k)))
            distance = whole.broadcast(builder.load(simd.after(distances_first, k)))
            new = []
            for i in range(2):
                old, place = state[2 * i : 2 * i + 2]
                value = simd.load(simd.after(elements, i * simd.lanes))
                # Not "less or equal": true for a greater value, and for NaN.
                greater = builder.fcmp_ordered(">", value, old)
                nan = builder.fcmp_unordered("uno", value, value)
                replaces = builder.or_(greater, nan)
                new += [builder.select(replaces, value, old), builder.select(replaces, distance, place)]
            return new

        nothing = [simd.constant(float("-inf")), whole.constant(0)]
        state = simd.loop(count, nothing * 2, step)
        for i in range(2):
            offset = builder.add(at, INDEX(i * simd.lanes))
            simd.store(state[2 * i], simd.address(kinds[0], best, offset))
            whole.store(state[2 * i + 1], simd.address(kinds[1], winner, offset))
        return context.get_dummy_value()

    index = types.intp
    return types.void(best, winner, index, source, offsets, index, distances, index), emit


@compiled(inline="always")
def _store_places(layout: Layout, band: int, winner: Any, indices: Any, plane: int) -> None:
    """Write the winners' places in the plane: the window's corner and the tap's distance from it."""
    rows, columns = layout.rows, layout.columns
    for u in range(band_rows(layout, band)):
        p = band * layout.band + u
        corner = (p * rows.source_stride - rows.source_before) * columns.source - columns.source_before
        _store_row_of_places(
            winner,
            u * layout.pitch,
            indices,
            (plane * rows.target + p) * columns.target,
            corner,
            columns.source_stride,
            columns.target,
        )


@compiled(borrowing=True)
def _store_row_of_places(
    winner: Any, at: int, indices: Any, start: int, corner: int, stride: int, count: int
) -> None:
    source, target = winner[at : at + count], indices[start : start + count]
    for q in range(count):
        target[q] = corner + q * stride + source[q]


@compiled(inline="always")
def _mend_empty_windows(
    layout: Layout, band: int, y: Any, indices: Any, plane: int, first_rows: Any, first_columns: Any
) -> None:
    """Where nothing exceeds -inf the window's first element is the winner, which may not be its first tap.

    Only windows that begin in the padding can differ.
    """
    rows, columns = layout.rows, layout.columns
    for p in range(band * layout.band, band * layout.band + band_rows(layout, band)):
        within = columns.source_before + columns.source_stride - 1
        width = (
            columns.target if p * rows.source_stride < rows.source_before else within // columns.source_stride
        )
        for q in range(min(width, columns.target)):
            i = (plane * rows.target + p) * columns.target + q
            if y[i] == -np.inf:
                inside = first_rows[p] >= 0 and first_columns[q] >= 0
                indices[i] = first_rows[p] * columns.source + first_columns[q] if inside else -1
