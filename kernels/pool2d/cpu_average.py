"""Average pooling in Numba, on planes sorted by phase: sums over taps of weight one."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array, input_shape4
from kernels.cpu.band_sums import add_band
from kernels.cpu.bands import band_rows, load_band, store_band
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.mapping import floating
from kernels.cpu.phases import backward_layout, forward_layout, layout_of
from kernels.memory import empty
from kernels.pool2d import average_pool2d_backward, average_pool2d_forward
from kernels.registry import implements
from kernels.window import Pair, Window


@implements(
    average_pool2d_forward,
    "phases",
    "unit weights over planes sorted by the stride",
    fits=floating,
    backend="cpu",
    compiled=True,
)
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
    average_pool2d_backward,
    "phases",
    "gather: each phase of x sums its own windows' shares",
    fits=floating,
    backend="cpu",
    compiled=True,
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
