"""Adaptive pooling in Numba: the bins' bounds are computed once, and every task takes whole planes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.adaptive_pool2d import (
    adaptive_average_pool2d_backward,
    adaptive_average_pool2d_forward,
    adaptive_max_pool2d_backward,
    adaptive_max_pool2d_forward,
)
from kernels.array import Array
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.mapping import floating
from kernels.memory import empty
from kernels.registry import implements
from kernels.window import Pair, adaptive_bounds


@functools.lru_cache(maxsize=1024)
def _bounds(length: int, bins: int) -> Array:
    """The bins' [start, end) along one axis: (B, 2)."""
    return np.array([adaptive_bounds(length, bins, i) for i in range(bins)], np.int64).reshape(bins, 2)


def _flat_planes(x: Array) -> Array:
    """(N, C, H, W) as (N C, H, W)."""
    return contiguous(x).reshape(x.shape[0] * x.shape[1], *x.shape[2:])


@implements(
    adaptive_average_pool2d_forward, "planes", "rows of a bin are added, then its columns", fits=floating
)
def adaptive_average_pool2d_forward_planes(x: Array, output_size: Pair) -> Array:
    """One row of sums is reused for all bins of a height."""
    y = empty((*x.shape[:2], *output_size), x.dtype)
    bounds = _bounds(x.shape[2], output_size[0]), _bounds(x.shape[3], output_size[1])
    _averages(tasks_for(x.size), _flat_planes(x), _flat_planes(y), *bounds)
    return y


@parallel
def _averages(task: int, tasks: int, x: Any, y: Any, rows: Any, columns: Any) -> None:
    sums = np.empty(x.shape[2], x.dtype)
    for plane in range(y.shape[0] * task // tasks, y.shape[0] * (task + 1) // tasks):
        for p in range(y.shape[1]):
            _average_bins(x, plane, rows[p, 0], rows[p, 1], columns, sums, y[plane, p])


@compiled(borrowing=True)
def _average_bins(x: Any, plane: int, top: int, bottom: int, columns: Any, sums: Any, y: Any) -> None:
    """The bins of one height: `sums` adds their rows."""
    for w in range(sums.size):
        sums[w] = 0
    for h in range(top, bottom):
        row = x[plane, h]
        for w in range(sums.size):
            sums[w] += row[w]
    for q in range(y.size):
        total = x.dtype.type(0)
        for w in range(columns[q, 0], columns[q, 1]):
            total += sums[w]
        y[q] = total / x.dtype.type((bottom - top) * (columns[q, 1] - columns[q, 0]))


@implements(
    adaptive_average_pool2d_backward,
    "planes",
    "shares go to a row, and the row to the bin's rows",
    fits=floating,
)
def adaptive_average_pool2d_backward_planes(grad_output: Array, input_shape: Sequence[int]) -> Array:
    """One row of shares serves all rows of a bin."""
    grad_x = empty(tuple(input_shape), grad_output.dtype)
    bounds = _bounds(input_shape[2], grad_output.shape[2]), _bounds(input_shape[3], grad_output.shape[3])
    _shares(tasks_for(grad_x.size), _flat_planes(grad_output), _flat_planes(grad_x), *bounds)
    return grad_x


@parallel
def _shares(task: int, tasks: int, grad_output: Any, grad_x: Any, rows: Any, columns: Any) -> None:
    shares = np.empty(grad_x.shape[2], grad_x.dtype)
    for plane in range(grad_x.shape[0] * task // tasks, grad_x.shape[0] * (task + 1) // tasks):
        grad_x[plane, :, :] = 0
        for p in range(grad_output.shape[1]):
            _share_bins(grad_output[plane, p], rows[p, 0], rows[p, 1], columns, shares, grad_x, plane)


@compiled(borrowing=True)
def _share_bins(
    grad_output: Any, top: int, bottom: int, columns: Any, shares: Any, grad_x: Any, plane: int
) -> None:
    """The bins of one height: `shares` holds what each of their columns receives."""
    for w in range(shares.size):
        shares[w] = 0
    for q in range(grad_output.size):
        size = (bottom - top) * (columns[q, 1] - columns[q, 0])
        for w in range(columns[q, 0], columns[q, 1]):
            shares[w] += grad_output[q] / shares.dtype.type(size)
    for h in range(top, bottom):
        row = grad_x[plane, h]
        for w in range(shares.size):
            row[w] += shares[w]


@implements(adaptive_max_pool2d_forward, "planes", "every bin in turn, over all cores", fits=floating)
def adaptive_max_pool2d_forward_planes(x: Array, output_size: Pair) -> tuple[Array, Array]:
    """Every task takes whole planes."""
    y = empty((*x.shape[:2], *output_size), x.dtype)
    indices = empty(y.shape, np.int64)
    bounds = _bounds(x.shape[2], output_size[0]), _bounds(x.shape[3], output_size[1])
    _maxima(tasks_for(x.size), _flat_planes(x), _flat_planes(y), _flat_planes(indices), *bounds)
    return y, indices


@parallel
def _maxima(task: int, tasks: int, x: Any, y: Any, indices: Any, rows: Any, columns: Any) -> None:
    for plane in range(y.shape[0] * task // tasks, y.shape[0] * (task + 1) // tasks):
        for p in range(y.shape[1]):
            for q in range(y.shape[2]):
                best, winner = x.dtype.type(-np.inf), rows[p, 0] * x.shape[2] + columns[q, 0]
                for h in range(rows[p, 0], rows[p, 1]):
                    for w in range(columns[q, 0], columns[q, 1]):
                        value = x[plane, h, w]
                        if value > best or value != value:  # the first maximum wins, and the last NaN
                            best, winner = value, h * x.shape[2] + w
                y[plane, p, q], indices[plane, p, q] = best, winner


@implements(
    adaptive_max_pool2d_backward, "planes", "every bin adds its gradient at its winner", fits=floating
)
def adaptive_max_pool2d_backward_planes(
    grad_output: Array, indices: Array, input_shape: Sequence[int]
) -> Array:
    """A plane belongs to one task, and its bins add in row-major order."""
    grad_x = empty(tuple(input_shape), grad_output.dtype)
    planes = input_shape[0] * input_shape[1]
    bins = grad_output.shape[2] * grad_output.shape[3]
    _scatter(
        tasks_for(grad_x.size),
        contiguous(grad_output).reshape(planes, bins),
        contiguous(indices).reshape(planes, bins),
        grad_x.reshape(planes, input_shape[2] * input_shape[3]),
    )
    return grad_x


@parallel
def _scatter(task: int, tasks: int, grad_output: Any, indices: Any, grad_x: Any) -> None:
    planes, bins = indices.shape
    for plane in range(planes * task // tasks, planes * (task + 1) // tasks):
        grad_x[plane, :] = 0
        for i in range(bins):
            grad_x[plane, indices[plane, i]] += grad_output[plane, i]
