"""Resizing of planes in Numba: where every output looks is tabulated per axis, planes are shared out to
threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from kernels.array import FLOATING, Array
from kernels.cpu.compilation import contiguous, parallel, tasks_for
from kernels.cpu.vector_math import like
from kernels.interpolation import (
    Scales,
    interpolate_bilinear_backward,
    interpolate_bilinear_forward,
    interpolate_nearest_backward,
    interpolate_nearest_forward,
)
from kernels.interpolation.coordinates import linear_sources, nearest_source
from kernels.memory import empty
from kernels.registry import implements

IDEA = "tables per axis, planes for all threads"
TABLES = 256  # kept tables; a network asks for few


def _planes(x: Array, *others: Any) -> bool:
    return x.dtype in FLOATING and x.ndim == 4


@lru_cache(TABLES)
def _nearest_table(length: int, output_length: int, scale: float | None) -> Array:
    return np.array([nearest_source(o, length, output_length, scale) for o in range(output_length)])


@lru_cache(TABLES)
def _linear_table(
    length: int, output_length: int, scale: float | None, align_corners: bool, dtype: Any
) -> tuple[Array, Array, Array]:
    """Both neighbours of every output, and the second one's weight."""
    sources = [linear_sources(o, length, output_length, scale, align_corners) for o in range(output_length)]
    low, high, weight = zip(*sources, strict=True)
    return np.array(low), np.array(high), np.array(weight, dtype)


@parallel
def _nearest_forward(task: int, tasks: int, y: Any, x: Any, rows: Any, columns: Any) -> None:
    for plane in range(x.shape[0] * task // tasks, x.shape[0] * (task + 1) // tasks):
        for i in range(y.shape[1]):
            out, line = y[plane, i], x[plane, rows[i]]
            for j in range(y.shape[2]):
                out[j] = line[columns[j]]


@parallel
def _nearest_backward(task: int, tasks: int, grad_x: Any, grad_output: Any, rows: Any, columns: Any) -> None:
    for plane in range(grad_x.shape[0] * task // tasks, grad_x.shape[0] * (task + 1) // tasks):
        grad_x[plane] = 0
        for i in range(grad_output.shape[1]):
            out, line = grad_x[plane, rows[i]], grad_output[plane, i]
            for j in range(grad_output.shape[2]):
                out[columns[j]] += line[j]


@parallel
def _bilinear_forward(
    task: int, tasks: int, y: Any, x: Any, top: Any, bottom: Any, a: Any, left: Any, right: Any, b: Any
) -> None:
    """Two rows are mixed first, then the columns of the mixture."""
    mixed = np.empty(x.shape[2], x.dtype)
    for plane in range(x.shape[0] * task // tasks, x.shape[0] * (task + 1) // tasks):
        for i in range(y.shape[1]):
            upper, lower, out = x[plane, top[i]], x[plane, bottom[i]], y[plane, i]
            weight, rest = a[i], like(a[i], 1) - a[i]
            for w in range(mixed.size):
                mixed[w] = rest * upper[w] + weight * lower[w]
            for j in range(out.size):
                out[j] = (like(b[j], 1) - b[j]) * mixed[left[j]] + b[j] * mixed[right[j]]


@parallel
def _bilinear_backward(
    task: int,
    tasks: int,
    grad_x: Any,
    grad_output: Any,
    top: Any,
    bottom: Any,
    a: Any,
    left: Any,
    right: Any,
    b: Any,
) -> None:
    """The transposed map: columns are spread first, then rows."""
    mixed = np.empty(grad_x.shape[2], grad_x.dtype)
    for plane in range(grad_x.shape[0] * task // tasks, grad_x.shape[0] * (task + 1) // tasks):
        grad_x[plane] = 0
        for i in range(grad_output.shape[1]):
            line, upper, lower = grad_output[plane, i], grad_x[plane, top[i]], grad_x[plane, bottom[i]]
            mixed[:] = 0
            for j in range(line.size):
                mixed[left[j]] += (like(b[j], 1) - b[j]) * line[j]
                mixed[right[j]] += b[j] * line[j]
            weight, rest = a[i], like(a[i], 1) - a[i]
            for w in range(mixed.size):
                upper[w] += rest * mixed[w]
            for w in range(mixed.size):
                lower[w] += weight * mixed[w]


def _run(kernel: Any, x: Array, size: Sequence[int], tables: Sequence[Array]) -> Array:
    """Hand planes (N C, H, W) to a kernel; the result's are of the given size."""
    y = empty((*x.shape[:2], *size), x.dtype)
    if y.size:
        planes = (x.shape[0] * x.shape[1], -1)
        tasks = min(planes[0], tasks_for(x.size + y.size))
        kernel(tasks, y.reshape(planes[0], *size), contiguous(x).reshape(planes[0], *x.shape[2:]), *tables)
    return y


def _nearest_tables(input_size: Sequence[int], size: Sequence[int], scale_factors: Scales) -> list[Array]:
    return [_nearest_table(*axis) for axis in zip(input_size, size, scale_factors, strict=True)]


def _linear_tables(
    x: Array, input_size: Sequence[int], size: Sequence[int], align_corners: bool, scale_factors: Scales
) -> list[Array]:
    axes = zip(input_size, size, scale_factors, strict=True)
    return [table for axis in axes for table in _linear_table(*axis, align_corners, x.dtype)]


@implements(interpolate_nearest_forward, "planes", IDEA, fits=_planes)
def interpolate_nearest_forward_planes(x: Array, size: Sequence[int], scale_factors: Scales) -> Array:
    """y[o] = x[source(o)]."""
    return _run(_nearest_forward, x, size, _nearest_tables(x.shape[2:], size, scale_factors))


@implements(interpolate_nearest_backward, "planes", IDEA, fits=_planes)
def interpolate_nearest_backward_planes(
    grad_output: Array, input_size: Sequence[int], scale_factors: Scales
) -> Array:
    """dx[source(o)] += dy[o]."""
    tables = _nearest_tables(input_size, grad_output.shape[2:], scale_factors)
    return _run(_nearest_backward, grad_output, input_size, tables)


@implements(interpolate_bilinear_forward, "planes", IDEA, fits=_planes)
def interpolate_bilinear_forward_planes(
    x: Array, size: Sequence[int], align_corners: bool, scale_factors: Scales
) -> Array:
    """The mean along W of means along H."""
    tables = _linear_tables(x, x.shape[2:], size, align_corners, scale_factors)
    return _run(_bilinear_forward, x, size, tables)


@implements(interpolate_bilinear_backward, "planes", IDEA, fits=_planes)
def interpolate_bilinear_backward_planes(
    grad_output: Array, input_size: Sequence[int], align_corners: bool, scale_factors: Scales
) -> Array:
    """First along W, then along H."""
    tables = _linear_tables(grad_output, input_size, grad_output.shape[2:], align_corners, scale_factors)
    return _run(_bilinear_backward, grad_output, input_size, tables)
