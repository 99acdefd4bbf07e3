"""Softmax and its logarithm in Numba: arrays as (before, along, after) the axis, lines shared out to all
threads.

Where the axis is the last one a line lies in one piece and is the inner loop. Elsewhere the inner loop goes
over a block of neighbouring lines, whose largest elements and sums are kept beside each other. Sums are
float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.mapping import WORTH_IT, floating
from kernels.cpu.vector_math import exponential, exponentials, like, sum_of
from kernels.memory import empty
from kernels.registry import implements
from kernels.softmax import (
    log_softmax_backward,
    log_softmax_forward,
    softmax_backward,
    softmax_forward,
)

IDEA = "lines in vector registers, shared out to all threads"
BLOCK = 128  # neighbouring lines that are worked on together
FORWARD_STEPS = 16  # what an exponential costs beside an addition

# ---- one line in one piece ----------------------------------------------------------------------


@compiled(summing=True)
def _sum_of_products(a: Any, b: Any) -> float:
    total = 0.0
    for i in range(a.size):
        total += np.float64(a[i]) * np.float64(b[i])
    return total


@compiled
def _forward_line(y: Any, x: Any, logarithm: bool) -> None:
    largest, total = exponentials(y, x)
    if logarithm:
        log_total = like(largest, math.log(total))
        for i in range(x.size):
            y[i] = (x[i] - largest) - log_total
    else:
        scale = like(largest, 1.0 / total)
        for i in range(x.size):
            y[i] *= scale


@compiled
def _backward_line(dx: Any, dy: Any, y: Any, logarithm: bool) -> None:
    if logarithm:
        total = sum_of(dy)
        for i in range(y.size):
            dx[i] = np.float64(dy[i]) - np.float64(exponential(y[i])) * total
    else:
        total = _sum_of_products(dy, y)
        for i in range(y.size):
            dx[i] = np.float64(y[i]) * (np.float64(dy[i]) - total)


# ---- a block of neighbouring lines, (along, lines) ----------------------------------------------


@compiled
def _forward_block(y: Any, x: Any, first: int, lines: int, logarithm: bool) -> None:
    largest, total = np.empty(lines, x.dtype), np.zeros(lines)
    largest[:] = -np.inf
    for c in range(x.shape[0]):
        row = x[c, first : first + lines]
        for i in range(lines):
            largest[i] = row[i] if row[i] > largest[i] else largest[i]
    for c in range(x.shape[0]):
        row, out = x[c, first : first + lines], y[c, first : first + lines]
        for i in range(lines):
            power = exponential(row[i] - largest[i])
            total[i] += np.float64(power)
            out[i] = row[i] - largest[i] if logarithm else power
    for i in range(lines):
        total[i] = math.log(total[i]) if logarithm else 1.0 / total[i]
    for c in range(x.shape[0]):
        out = y[c, first : first + lines]
        for i in range(lines):
            factor = like(out[i], total[i])
            out[i] = out[i] - factor if logarithm else out[i] * factor


@compiled
def _backward_block(dx: Any, dy: Any, y: Any, first: int, lines: int, logarithm: bool) -> None:
    total = np.zeros(lines)
    for c in range(y.shape[0]):
        dy_row, y_row = dy[c, first : first + lines], y[c, first : first + lines]
        for i in range(lines):
            total[i] += np.float64(dy_row[i]) * (1.0 if logarithm else np.float64(y_row[i]))
    for c in range(y.shape[0]):
        dy_row, y_row = dy[c, first : first + lines], y[c, first : first + lines]
        out = dx[c, first : first + lines]
        for i in range(lines):
            wide = np.float64(dy_row[i])
            if logarithm:
                out[i] = wide - np.float64(exponential(y_row[i])) * total[i]
            else:
                out[i] = np.float64(y_row[i]) * (wide - total[i])


# ---- all lines ----------------------------------------------------------------------------------


@parallel
def _forward(task: int, tasks: int, y: Any, x: Any, logarithm: bool) -> None:
    before, _, after = x.shape
    blocks = (after + BLOCK - 1) // BLOCK
    for job in range(before * blocks * task // tasks, before * blocks * (task + 1) // tasks):
        n, first = job // blocks, job % blocks * BLOCK
        if after == 1:
            _forward_line(y[n].reshape(-1), x[n].reshape(-1), logarithm)
        else:
            _forward_block(y[n], x[n], first, min(BLOCK, after - first), logarithm)


@parallel
def _backward(task: int, tasks: int, dx: Any, dy: Any, y: Any, logarithm: bool) -> None:
    before, _, after = y.shape
    blocks = (after + BLOCK - 1) // BLOCK
    for job in range(before * blocks * task // tasks, before * blocks * (task + 1) // tasks):
        n, first = job // blocks, job % blocks * BLOCK
        if after == 1:
            _backward_line(dx[n].reshape(-1), dy[n].reshape(-1), y[n].reshape(-1), logarithm)
        else:
            _backward_block(dx[n], dy[n], y[n], first, min(BLOCK, after - first), logarithm)


def _run(kernel: Any, arrays: tuple[Array, ...], axis: int, logarithm: bool) -> Array:
    """Arrange arrays as (before, along, after) the axis and hand them to a kernel."""
    shape = arrays[0].shape
    result = empty(shape, arrays[0].dtype)
    if result.size:
        lines = (math.prod(shape[:axis]), shape[axis] if shape else 1, math.prod(shape[axis + 1 :]))
        operands = [contiguous(array).reshape(lines) for array in arrays]
        kernel(tasks_for(result.size * FORWARD_STEPS), result.reshape(lines), *operands, logarithm)
    return result


def _register(contract: Callable[..., Array], kernel: Any, arrays: int, logarithm: bool) -> None:
    @implements(contract, "lines", IDEA, backend="cpu", fits=floating, pays=_large, compiled=True)
    def lines(*arguments: Any) -> Array:
        return _run(kernel, arguments[:arrays], arguments[arrays], logarithm)


def _large(x: Array, *others: Any) -> bool:
    return x.size >= WORTH_IT // 64


_register(softmax_forward, _forward, 1, False)
_register(softmax_backward, _backward, 2, False)
_register(log_softmax_forward, _forward, 1, True)
_register(log_softmax_backward, _backward, 2, True)
