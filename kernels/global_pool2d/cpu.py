"""Global pooling in Numba: one pass over every plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.mapping import floating
from kernels.global_pool2d import (
    global_average_pool2d_backward,
    global_average_pool2d_forward,
    global_max_pool2d_backward,
    global_max_pool2d_forward,
)
from kernels.memory import empty
from kernels.registry import implements


@implements(global_average_pool2d_forward, "planes", "one vector sum per plane", fits=floating, compiled=True)
def global_average_pool2d_forward_planes(x: Array) -> Array:
    """Every task takes whole planes."""
    y = empty((*x.shape[:2], 1, 1), x.dtype)
    _averages(tasks_for(x.size), contiguous(x).reshape(y.size, x.shape[2] * x.shape[3]), y.reshape(-1))
    return y


@parallel
def _averages(task: int, tasks: int, x: Any, y: Any) -> None:
    planes = y.size
    _averages_of_planes(planes * task // tasks, planes * (task + 1) // tasks, x, y)


@compiled(borrowing=True)
def _averages_of_planes(first: int, last: int, x: Any, y: Any) -> None:
    for plane in range(first, last):
        y[plane] = _sum(x[plane]) / x.shape[1]


@compiled(summing=True, borrowing=True)
def _sum(x: Any) -> Any:
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i]
    return total


@implements(
    global_average_pool2d_backward, "planes", "one vector fill per plane", fits=floating, compiled=True
)
def global_average_pool2d_backward_planes(grad_output: Array, input_shape: Sequence[int]) -> Array:
    """Every task fills whole planes."""
    grad_x = empty(tuple(input_shape), grad_output.dtype)
    area = input_shape[2] * input_shape[3]
    gradients = contiguous(grad_output).reshape(-1)
    _fill(tasks_for(grad_x.size), gradients, grad_x.reshape(gradients.size, area))
    return grad_x


@parallel
def _fill(task: int, tasks: int, grad_output: Any, grad_x: Any) -> None:
    planes, area = grad_x.shape
    for plane in range(planes * task // tasks, planes * (task + 1) // tasks):
        grad_x[plane, :] = grad_output[plane] / grad_x.dtype.type(area)


@implements(
    global_max_pool2d_forward, "planes", "one pass per plane over all cores", fits=floating, compiled=True
)
def global_max_pool2d_forward_planes(x: Array) -> tuple[Array, Array]:
    """Every task takes whole planes."""
    y = empty((*x.shape[:2], 1, 1), x.dtype)
    indices = empty(y.shape, np.int64)
    planes = contiguous(x).reshape(y.size, x.shape[2] * x.shape[3])
    _maxima(tasks_for(x.size), planes, y.reshape(-1), indices.reshape(-1))
    return y, indices


@parallel
def _maxima(task: int, tasks: int, x: Any, y: Any, indices: Any) -> None:
    for plane in range(y.size * task // tasks, y.size * (task + 1) // tasks):
        best, winner = x[plane, 0], 0
        for i in range(1, x.shape[1]):
            value = x[plane, i]
            if value > best or value != value:  # the first maximum wins, and the last NaN
                best, winner = value, i
        y[plane], indices[plane] = best, winner


@implements(
    global_max_pool2d_backward, "planes", "zeros and one write per plane", fits=floating, compiled=True
)
def global_max_pool2d_backward_planes(
    grad_output: Array, indices: Array, input_shape: Sequence[int]
) -> Array:
    """Every task takes whole planes."""
    grad_x = empty(tuple(input_shape), grad_output.dtype)
    gradients = contiguous(grad_output).reshape(-1)
    planes = grad_x.reshape(gradients.size, input_shape[2] * input_shape[3])
    _scatter(tasks_for(grad_x.size), gradients, contiguous(indices).reshape(-1), planes)
    return grad_x


@parallel
def _scatter(task: int, tasks: int, grad_output: Any, indices: Any, grad_x: Any) -> None:
    planes = indices.size
    for plane in range(planes * task // tasks, planes * (task + 1) // tasks):
        grad_x[plane, :] = 0
        grad_x[plane, indices[plane]] = grad_output[plane]
