"""The parametric rectifier in Numba: every task takes whole planes, for the slope whole channels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cpu.compilation import contiguous, parallel, tasks_for
from kernels.cpu.mapping import floating
from kernels.memory import empty
from kernels.prelu import prelu_backward_input, prelu_backward_slope, prelu_forward
from kernels.registry import implements


def _planes(x: Array) -> Array:
    """(N, C, *spatial) as (N, C, S)."""
    return contiguous(x).reshape(*x.shape[:2], math.prod(x.shape[2:]))


@parallel
def _rectify(task: int, tasks: int, y: Any, values: Any, x: Any, slope: Any) -> None:
    """y = values where x > 0, else slope values: going forward values is x, going back dy."""
    batch, channels, size = x.shape
    for plane in range(batch * channels * task // tasks, batch * channels * (task + 1) // tasks):
        n, c = plane // channels, plane % channels
        out, given, signs = y[n, c], values[n, c], x[n, c]
        for i in range(size):
            out[i] = given[i] if signs[i] > 0 else slope[c] * given[i]


@parallel
def _sum_left(task: int, tasks: int, total: Any, grad_output: Any, x: Any) -> None:
    """A channel belongs to one task, so its sum has one order, however many tasks there are."""
    batch, channels, size = x.shape
    for c in range(channels * task // tasks, channels * (task + 1) // tasks):
        for n in range(batch):
            for i in range(size):
                if not x[n, c, i] > 0:
                    total[c] += np.float64(grad_output[n, c, i]) * np.float64(x[n, c, i])


@implements(prelu_forward, "planes", "plane after plane, by all threads", fits=floating)
def prelu_forward_planes(x: Array, slope: Array) -> Array:
    """x itself is what is passed or scaled."""
    return _run(x, x, slope)


@implements(prelu_backward_input, "planes", "plane after plane, by all threads", fits=floating)
def prelu_backward_input_planes(grad_output: Array, x: Array, slope: Array) -> Array:
    """dy is what is passed or scaled."""
    return _run(grad_output, x, slope)


@implements(prelu_backward_slope, "planes", "channel after channel, by all threads", fits=floating)
def prelu_backward_slope_planes(grad_output: Array, x: Array) -> Array:
    """The sums of all channels."""
    total = np.zeros(x.shape[1])
    _sum_left(min(tasks_for(x.size), max(x.shape[1], 1)), total, _planes(grad_output), _planes(x))
    return total.astype(x.dtype)


def _run(values: Array, x: Array, slope: Array) -> Array:
    y = empty(x.shape, x.dtype)
    _rectify(tasks_for(x.size), _planes(y), _planes(values), _planes(x), contiguous(slope))
    return y
