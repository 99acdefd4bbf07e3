"""Adaptive pooling on the GPU: one thread per element of the result, see adaptive_pool2d.cu."""

from __future__ import annotations

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
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside, floating
from kernels.registry import implements
from kernels.window import Pair

SOURCE = Source(__file__, "adaptive_pool2d.cu")
FORWARD = "one thread per bin"
BACKWARD = "one thread per element of the input, which gathers from the bins that hold it"


def _run(kernel: str, arrays: Sequence[Any], size: Sequence[int], bins: Sequence[int]) -> None:
    """Run a kernel over the elements of the last array."""
    result = arrays[-1]
    arguments = (*arrays, *map(np.int64, (result.size, *size, *bins)))
    SOURCE.launch_each(kernel, result.size, arguments, {"REAL": c_type(arrays[0].dtype)})


def _backward(kernel: str, arrays: Sequence[Any], input_shape: Sequence[int]) -> Any:
    """Run a kernel over the elements of the input's gradient."""
    operands = [contiguous(array) for array in arrays]
    grad_x = empty_beside(operands[0], input_shape, operands[0].dtype)
    _run(kernel, (*operands, grad_x), grad_x.shape[2:], operands[0].shape[2:])
    return grad_x


@implements(adaptive_average_pool2d_forward, "each", FORWARD, fits=floating)
def adaptive_average_pool2d_forward_each(x: Array, output_size: Pair) -> Array:
    """The sum over the bin, divided."""
    x = contiguous(x)
    y: Array = empty_beside(x, (*x.shape[:2], *output_size), x.dtype)
    _run("adaptive_average_pool2d_forward", (x, y), x.shape[2:], output_size)
    return y


@implements(adaptive_average_pool2d_backward, "gather", BACKWARD, fits=floating)
def adaptive_average_pool2d_backward_gather(grad_output: Array, input_shape: Sequence[int]) -> Array:
    """Every bin's share, divided before it is added."""
    grad_x: Array = _backward("adaptive_average_pool2d_backward", (grad_output,), input_shape)
    return grad_x


@implements(adaptive_max_pool2d_forward, "each", FORWARD, fits=floating)
def adaptive_max_pool2d_forward_each(x: Array, output_size: Pair) -> tuple[Array, Array]:
    """The maximum and its place, in one walk over the bin."""
    x = contiguous(x)
    y = empty_beside(x, (*x.shape[:2], *output_size), x.dtype)
    indices = empty_beside(x, y.shape, np.int64)
    _run("adaptive_max_pool2d_forward", (x, y, indices), x.shape[2:], output_size)
    return y, indices


@implements(adaptive_max_pool2d_backward, "gather", BACKWARD, fits=floating)
def adaptive_max_pool2d_backward_gather(
    grad_output: Array, indices: Array, input_shape: Sequence[int]
) -> Array:
    """An element adds the gradients of the bins that it won."""
    grad_x: Array = _backward("adaptive_max_pool2d_backward", (grad_output, indices), input_shape)
    return grad_x
