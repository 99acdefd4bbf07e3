"""Pooling on the GPU: one thread per element of the result, see pool2d.cu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array, input_shape4
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside, floating
from kernels.cuda.window import window_arguments
from kernels.pool2d import (
    average_pool2d_backward,
    average_pool2d_forward,
    max_pool2d_backward,
    max_pool2d_forward,
)
from kernels.registry import implements
from kernels.window import Window

SOURCE = Source(__file__, "pool2d.cu")
FORWARD = "one thread per window"
BACKWARD = "one thread per element of the input, which gathers from the windows that cover it"


def _run(kernel: str, arrays: Sequence[Any], window: Window, sizes: Sequence[Any], *more: np.int64) -> None:
    """Run a kernel over the elements of the first result; `sizes` are those of the input's and output's
    planes.
    """
    result = arrays[-1]
    arguments = (*arrays, np.int64(result.size), *window_arguments(window, *sizes), *more)
    SOURCE.launch_each(kernel, result.size, arguments, {"REAL": c_type(arrays[0].dtype)})


@implements(max_pool2d_forward, "each", FORWARD, fits=floating)
def max_pool2d_forward_each(x: Array, window: Window) -> tuple[Array, Array]:
    """The maximum and its place, in one walk over the window."""
    x = contiguous(x)
    size = window.output_size(x.shape[2:])
    y = empty_beside(x, (*x.shape[:2], *size), x.dtype)
    indices = empty_beside(x, y.shape, np.int64)
    _run("max_pool2d_forward", (x, y, indices), window, (x.shape[2:], size))
    return y, indices


@implements(max_pool2d_backward, "gather", BACKWARD, fits=floating)
def max_pool2d_backward_gather(
    grad_output: Array, indices: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """No two threads write to one element, so no atomics are needed."""
    grad_output, indices = contiguous(grad_output), contiguous(indices)
    grad_x: Array = empty_beside(grad_output, input_shape, grad_output.dtype)
    sizes = (grad_x.shape[2:], grad_output.shape[2:])
    _run("max_pool2d_backward", (grad_output, indices, grad_x), window, sizes)
    return grad_x


@implements(average_pool2d_forward, "each", FORWARD, fits=floating)
def average_pool2d_forward_each(
    x: Array, window: Window, count_include_pad: bool, divisor_override: int | None
) -> Array:
    """The sum over the window, divided."""
    x = contiguous(x)
    size = window.output_size(x.shape[2:])
    y: Array = empty_beside(x, (*x.shape[:2], *size), x.dtype)
    divisor = _divisor(window, count_include_pad, divisor_override)
    _run("average_pool2d_forward", (x, y), window, (x.shape[2:], size), *divisor)
    return y


@implements(average_pool2d_backward, "gather", BACKWARD, fits=floating)
def average_pool2d_backward_gather(
    grad_output: Array,
    input_shape: Sequence[int],
    window: Window,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    """Every window's share, divided before it is added."""
    grad_output = contiguous(grad_output)
    grad_x: Array = empty_beside(grad_output, input_shape4(input_shape), grad_output.dtype)
    divisor = _divisor(window, count_include_pad, divisor_override)
    sizes = (grad_x.shape[2:], grad_output.shape[2:])
    _run("average_pool2d_backward", (grad_output, grad_x), window, sizes, *divisor)
    return grad_x


def _divisor(window: Window, count_include_pad: bool, divisor_override: int | None) -> list[np.int64]:
    """The kernels' parameters DIVISOR."""
    (top, bottom), (left, right) = window.padding if count_include_pad else ((0, 0), (0, 0))
    return [np.int64(number) for number in (top, bottom, left, right, divisor_override or 0)]
