"""Max unpooling in Numba: every task takes whole planes."""

from __future__ import annotations

from typing import Any

from kernels.array import Array
from kernels.cpu.compilation import contiguous, parallel, tasks_for
from kernels.cpu.mapping import floating
from kernels.max_unpool2d import max_unpool2d_backward, max_unpool2d_forward
from kernels.memory import empty
from kernels.registry import implements
from kernels.window import Pair


def _flat_planes(x: Array) -> Array:
    """(N, C, H, W) as (N C, H W)."""
    return contiguous(x).reshape(x.shape[0] * x.shape[1], x.shape[2] * x.shape[3])


@implements(max_unpool2d_forward, "planes", "zeros, then the values in order, plane by plane", fits=floating)
def max_unpool2d_forward_planes(x: Array, indices: Array, output_size: Pair) -> Array:
    """Later values overwrite earlier ones, as a plane belongs to one task."""
    y = empty((*x.shape[:2], *output_size), x.dtype)
    _scatter(tasks_for(y.size), _flat_planes(x), _flat_planes(indices), _flat_planes(y))
    return y


@parallel
def _scatter(task: int, tasks: int, x: Any, indices: Any, y: Any) -> None:
    planes = y.shape[0]
    for plane in range(planes * task // tasks, planes * (task + 1) // tasks):
        y[plane, :] = 0
        for i in range(x.shape[1]):
            y[plane, indices[plane, i]] = x[plane, i]


@implements(max_unpool2d_backward, "planes", "one read per value, plane by plane", fits=floating)
def max_unpool2d_backward_planes(grad_output: Array, indices: Array) -> Array:
    """A gather."""
    grad_x = empty(indices.shape, grad_output.dtype)
    _gather(tasks_for(grad_x.size), _flat_planes(grad_output), _flat_planes(indices), _flat_planes(grad_x))
    return grad_x


@parallel
def _gather(task: int, tasks: int, grad_output: Any, indices: Any, grad_x: Any) -> None:
    planes = grad_x.shape[0]
    for plane in range(planes * task // tasks, planes * (task + 1) // tasks):
        for i in range(grad_x.shape[1]):
            grad_x[plane, i] = grad_output[plane, indices[plane, i]]
