"""Maximum and average pooling in Numba, on planes sorted by phase: a tap is one step over full vectors."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.array import FLOATING, Array, input_shape4
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.phases import (
    add_band,
    backward_layout,
    band_rows,
    forward_layout,
    layout_of,
    load_band,
    store_band,
)
from kernels.cpu.simd import VectorBuilder, vector_lanes
from kernels.memory import empty
from kernels.pool2d import (
    average_pool2d_backward,
    average_pool2d_forward,
    max_pool2d_backward,
    max_pool2d_forward,
)
from kernels.registry import implements
from kernels.window import Pair, Window


def _floating(x: Array, *others: Any) -> bool:
    return x.dtype in FLOATING


def _planes_fit(x: Array, window: Window) -> bool:
    """The winners' places within a plane are counted in 32 bits."""
    return bool(x.dtype in FLOATING and x.shape[2] * x.shape[3] < 2**31)


def _coordinates_fit(grad_output: Array, indices: Array, input_shape: Sequence[int], window: Window) -> bool:
    """The windows' corners are kept in 32 bits."""
    return bool(grad_output.dtype in FLOATING and max(input_shape[2:]) < 2**30)


# ---- maximum


@implements(
    max_pool2d_forward, "phases", "padded planes in the cache, sorted by the stride", fits=_planes_fit
)
def max_pool2d_forward_phases(x: Array, window: Window) -> tuple[Array, Array]:
    """Maxima and the winners' distances from the window's corner are kept in registers side by side."""
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
        distances_first = simd.address(kinds[6], distances, ir.IntType(64)(0))

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
            offset = builder.add(at, ir.IntType(64)(i * simd.lanes))
            simd.store(state[2 * i], simd.address(kinds[0], best, offset))
            whole.store(state[2 * i + 1], simd.address(kinds[1], winner, offset))
        return context.get_dummy_value()

    index = types.intp
    return types.void(best, winner, index, source, offsets, index, distances, index), emit


@compiled(inline="always")
def _store_places(layout: Any, band: int, winner: Any, indices: Any, plane: int) -> None:
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
    layout: Any, band: int, y: Any, indices: Any, plane: int, first_rows: Any, first_columns: Any
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


@implements(
    max_pool2d_backward,
    "planes",
    "every window adds its gradient at its winner, plane by plane",
    fits=_coordinates_fit,
)
def max_pool2d_backward_planes(
    grad_output: Array, indices: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """A plane belongs to one task, and its windows add in row-major order."""
    shape = input_shape4(input_shape)
    grad_x = empty(shape, grad_output.dtype)
    _scatter(
        min(tasks_for(grad_x.size), max(shape[0] * shape[1], 1)),
        contiguous(grad_output),
        contiguous(indices),
        grad_x,
        *_reach(window),
    )
    return grad_x


@functools.lru_cache(maxsize=1024)
def _reach(window: Window) -> tuple[Array, Array, Array]:
    """For every distance from a window's first tap, down and across: whether there is a tap; and the strides
    and the padding before, (2, 2).
    """
    rows, columns = (np.arange(e) % d == 0 for e, d in zip(window.extent, window.dilation, strict=True))
    return rows, columns, np.array([window.stride, [before for before, _ in window.padding]])


@parallel
def _scatter(
    task: int,
    tasks: int,
    grad_output: Any,
    indices: Any,
    grad_x: Any,
    row_taps: Any,
    column_taps: Any,
    geometry: Any,
) -> None:
    """geometry: the strides, then the padding before, along both axes."""
    batch, channels, height, width = grad_x.shape
    tops, lefts = _corners(indices.shape[2], indices.shape[3], geometry)
    dense = row_taps.all() and column_taps.all()
    for plane in range(batch * channels * task // tasks, batch * channels * (task + 1) // tasks):
        n, c = plane // channels, plane % channels
        winners, gradients = indices[n, c].ravel(), grad_output[n, c].ravel()
        target = grad_x[n, c].reshape(height * width)
        target[:] = 0
        if dense and _all_in_reach(winners, tops, lefts, width, row_taps.size, column_taps.size):
            _add_all(winners, gradients, target)
        else:
            _add_covered(winners, gradients, tops, lefts, width, row_taps, column_taps, target)


@compiled
def _corners(height: int, width: int, geometry: Any) -> Any:
    """Return the rows and the columns of the first taps of all windows, two arrays (OH OW,)."""
    tops, lefts = np.empty(height * width, np.int32), np.empty(height * width, np.int32)
    for p in range(height):
        for q in range(width):
            tops[p * width + q] = p * geometry[0, 0] - geometry[1, 0]
            lefts[p * width + q] = q * geometry[0, 1] - geometry[1, 1]
    return tops, lefts


@compiled(inline="always")
def _row_of(i: int, per_width: float) -> int:
    """floor(i / width) without a division: half an element more than i is far from every border."""
    return int((i + 0.5) * per_width)


@compiled(borrowing=True)
def _all_in_reach(winners: Any, tops: Any, lefts: Any, width: int, rows: int, columns: int) -> bool:
    """Whether every winner exists and lies in the rectangle of rows x columns at its window's corner."""
    per_width = 1 / width
    signs = 0  # negative as soon as one of the distances is
    for t in range(winners.size):
        i = winners[t]
        row = _row_of(i, per_width)
        down, across = row - tops[t], i - row * width - lefts[t]
        signs |= i | down | (rows - 1 - down) | across | (columns - 1 - across)
    return signs >= 0


@compiled(borrowing=True)
def _add_all(winners: Any, gradients: Any, target: Any) -> None:
    for t in range(winners.size):
        target[np.uint64(winners[t])] += gradients[t]


@compiled(borrowing=True)
def _add_covered(
    winners: Any,
    gradients: Any,
    tops: Any,
    lefts: Any,
    width: int,
    row_taps: Any,
    column_taps: Any,
    target: Any,
) -> None:
    """Add the gradients of the windows that have a tap on their winner."""
    per_width = 1 / width
    for t in range(winners.size):
        i = winners[t]
        row = _row_of(i, per_width)
        down, across = row - tops[t], i - row * width - lefts[t]
        if i < 0 or not 0 <= down < row_taps.size or not 0 <= across < column_taps.size:
            continue
        if row_taps[down] and column_taps[across]:
            target[i] += gradients[t]


# ---- average


@implements(average_pool2d_forward, "phases", "unit weights over planes sorted by the stride", fits=_floating)
def average_pool2d_forward_phases(
    x: Array, window: Window, count_include_pad: bool, divisor_override: int | None
) -> Array:
    """The window's sum, divided on its way to memory."""
    size: Pair = x.shape[2:]
    y = empty((*x.shape[:2], *window.output_size(size)), x.dtype)
    rows, columns = _divisors(window, size, count_include_pad, divisor_override)
    _averages(
        tasks_for(y.size),
        forward_layout(window, size, 1, x.itemsize),
        contiguous(x).ravel(),
        y.ravel(),
        rows.astype(x.dtype),
        columns.astype(x.dtype),
    )
    return y


@implements(
    average_pool2d_backward, "phases", "gather: each phase of x sums its own windows' shares", fits=_floating
)
def average_pool2d_backward_phases(
    grad_output: Array,
    input_shape: Sequence[int],
    window: Window,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    """The shares are computed once, on their way into the cache."""
    shape = input_shape4(input_shape)
    grad_x = empty(shape, grad_output.dtype)
    rows, columns = _divisors(window, shape[2:], count_include_pad, divisor_override)
    _shares(
        tasks_for(grad_x.size),
        backward_layout(window, shape[2:], 1, grad_output.itemsize),
        contiguous(grad_output).ravel(),
        grad_x.ravel(),
        rows.astype(grad_x.dtype),
        columns.astype(grad_x.dtype),
    )
    return grad_x


@functools.lru_cache(maxsize=1024)
def _divisors(
    window: Window, size: Pair, count_include_pad: bool, divisor_override: int | None
) -> tuple[Array, Array]:
    """Two arrays (OH,) and (OW,) whose products are the windows' divisors."""
    outputs = window.output_size(size)
    if divisor_override is not None:
        return np.full(outputs[0], divisor_override), np.ones(outputs[1], np.int64)
    counts = []
    for axis in (0, 1):
        before, after = window.padding[axis] if count_include_pad else (0, 0)
        starts = np.arange(outputs[axis]) * window.stride[axis] - window.padding[axis][0]
        ends = np.minimum(starts + window.kernel[axis], size[axis] + after)
        counts.append(ends - np.maximum(starts, -before))
    return counts[0], counts[1]


@parallel
def _averages(
    task: int, tasks: int, numbers: Any, x: Any, y: Any, row_divisors: Any, column_divisors: Any
) -> None:
    """y = sum of the window / (row divisor * column divisor)."""
    layout = layout_of(numbers)
    source, target = np.zeros(layout.source_size, x.dtype), np.zeros(layout.target_size, x.dtype)
    ones = np.ones(layout.tap_count, x.dtype)
    jobs = y.size // (layout.rows.target * layout.columns.target) * layout.bands
    for job in range(jobs * task // tasks, jobs * (task + 1) // tasks):
        _average_band(job, numbers, x, source, ones, target, y, row_divisors, column_divisors)


@compiled(borrowing=True)
def _average_band(
    job: int,
    numbers: Any,
    x: Any,
    source: Any,
    ones: Any,
    target: Any,
    y: Any,
    row_divisors: Any,
    column_divisors: Any,
) -> None:
    layout = layout_of(numbers)
    plane, band = job // layout.bands, job % layout.bands
    load_band(layout, numbers, band, x, plane, source, x.dtype.type(0))
    add_band(layout, numbers, band, source, ones, 0, x.dtype.type(0), target)
    for u in range(band_rows(layout, band)):
        sums = target[u * layout.pitch : u * layout.pitch + layout.columns.target]
        for q in range(column_divisors.size):
            sums[q] /= row_divisors[band * layout.band + u] * column_divisors[q]
    store_band(layout, band, target, y, plane)


@parallel
def _shares(
    task: int,
    tasks: int,
    numbers: Any,
    grad_output: Any,
    grad_x: Any,
    row_divisors: Any,
    column_divisors: Any,
) -> None:
    """grad_x = sum over the windows that cover it of grad_output / (row divisor * column divisor)."""
    layout = layout_of(numbers)
    rows, columns = layout.rows, layout.columns
    shares = np.empty(rows.source * columns.source, grad_x.dtype)
    source = np.zeros(layout.source_size, grad_x.dtype)
    target = np.zeros(layout.target_phases * layout.target_size, grad_x.dtype)
    ones = np.ones(layout.tap_count, grad_x.dtype)
    planes = grad_x.size // (rows.target * columns.target)
    for plane in range(planes * task // tasks, planes * (task + 1) // tasks):
        gradients = grad_output[plane * shares.size : (plane + 1) * shares.size]
        for p in range(rows.source):
            into = shares[p * columns.source : (p + 1) * columns.source]
            given = gradients[p * columns.source : (p + 1) * columns.source]
            for q in range(column_divisors.size):
                into[q] = given[q] / (row_divisors[p] * column_divisors[q])
        _spread_plane(plane, numbers, shares, source, ones, target, grad_x)


@compiled(borrowing=True)
def _spread_plane(
    plane: int, numbers: Any, shares: Any, source: Any, ones: Any, target: Any, grad_x: Any
) -> None:
    layout = layout_of(numbers)
    for band in range(layout.bands):
        load_band(layout, numbers, band, shares, 0, source, grad_x.dtype.type(0))
        add_band(layout, numbers, band, source, ones, 0, grad_x.dtype.type(0), target)
        store_band(layout, band, target, grad_x, plane)
