"""Pooling over whole planes on the GPU: a warp per plane, see global_pool2d.cu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside, floating
from kernels.cuda.lines import WARP, launch_lines
from kernels.global_pool2d import (
    global_average_pool2d_backward,
    global_average_pool2d_forward,
    global_max_pool2d_backward,
    global_max_pool2d_forward,
)
from kernels.registry import implements

SOURCE = Source(__file__, "global_pool2d.cu")
FORWARD = "the 32 threads of a warp share a plane"
BACKWARD = "one thread per element of the input"


def _macros(x: Any) -> dict[str, Any]:
    return {"REAL": c_type(x.dtype), "LANES": WARP}


def _forward(kernel: str, x: Any, *results: Any) -> None:
    """Run a kernel over the planes of x."""
    batch, channels, height, width = x.shape
    sizes = (batch * channels, height * width, 1)
    launch_lines(SOURCE, kernel, WARP, (contiguous(x), *results), sizes, _macros(x))


def _backward(kernel: str, arrays: Sequence[Any], input_shape: Sequence[int]) -> Any:
    """Run a kernel over the elements of the input's gradient."""
    operands = [contiguous(array) for array in arrays]
    grad_x = empty_beside(operands[0], input_shape, operands[0].dtype)
    numbers = (grad_x.size, input_shape[2] * input_shape[3])
    arguments = (*operands, grad_x, *map(np.int64, numbers))
    SOURCE.launch_each(kernel, grad_x.size, arguments, _macros(grad_x))
    return grad_x


@implements(global_average_pool2d_forward, "warps", FORWARD, fits=floating)
def global_average_pool2d_forward_warps(x: Array) -> Array:
    """The lanes add up every 32nd element, then each other's sums in pairs."""
    y: Array = empty_beside(x, (*x.shape[:2], 1, 1), x.dtype)
    _forward("global_average_pool2d_forward", x, y)
    return y


@implements(global_average_pool2d_backward, "each", BACKWARD, fits=floating)
def global_average_pool2d_backward_each(grad_output: Array, input_shape: Sequence[int]) -> Array:
    """Every element receives its share."""
    grad_x: Array = _backward("global_average_pool2d_backward", (grad_output,), input_shape)
    return grad_x


@implements(global_max_pool2d_forward, "warps", FORWARD, fits=floating)
def global_max_pool2d_forward_warps(x: Array) -> tuple[Array, Array]:
    """The lanes look at every 32nd element, then at each other's maxima."""
    y = empty_beside(x, (*x.shape[:2], 1, 1), x.dtype)
    indices = empty_beside(x, y.shape, np.int64)
    _forward("global_max_pool2d_forward", x, y, indices)
    return y, indices


@implements(global_max_pool2d_backward, "each", BACKWARD, fits=floating)
def global_max_pool2d_backward_each(grad_output: Array, indices: Array, input_shape: Sequence[int]) -> Array:
    """The winner takes the gradient."""
    grad_x: Array = _backward("global_max_pool2d_backward", (grad_output, indices), input_shape)
    return grad_x
