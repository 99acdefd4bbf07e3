"""The locally connected layer on the GPU: a thread per element of the result, see locally_connected2d.cu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside, floating
from kernels.cuda.window import window_arguments
from kernels.locally_connected2d import (
    locally_connected2d_backward_bias,
    locally_connected2d_backward_input,
    locally_connected2d_backward_weight,
    locally_connected2d_forward,
)
from kernels.reduction import reduce_sum
from kernels.registry import implements
from kernels.window import Window

SOURCE = Source(__file__, "locally_connected2d.cu")


def _run(
    kernel: str, arrays: Sequence[Any], counts: Sequence[int], x_shape: Sequence[int], y: Any, window: Window
) -> None:
    """Run a kernel over the elements of the last array; x (N, C, H, W) and y (N, O, OH, OW) say the sizes."""
    arguments = (
        *arrays,
        *map(np.int64, (arrays[-1].size, *counts)),
        *window_arguments(window, x_shape[2:], y.shape[2:]),
        *map(np.int64, (x_shape[1], y.shape[1])),
    )
    SOURCE.launch_each(kernel, arrays[-1].size, arguments, {"REAL": c_type(y.dtype)})


@implements(
    locally_connected2d_forward, "direct", "one thread per output walks over its patch", fits=floating
)
def locally_connected2d_forward_direct(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """Every output has filters of its own, so nothing is read twice but the patch."""
    x = contiguous(x)
    y: Array = empty_beside(x, (x.shape[0], weight.shape[2], *weight.shape[:2]), x.dtype)
    _run("local_forward", (x, contiguous(weight), contiguous(bias), y), (), x.shape, y, window)
    return y


@implements(
    locally_connected2d_backward_input,
    "direct",
    "one thread per input element gathers its outputs",
    fits=floating,
)
def locally_connected2d_backward_input_direct(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """No two threads write to one element, so no atomics are needed."""
    grad_output = contiguous(grad_output)
    grad_x: Array = empty_beside(grad_output, input_shape, grad_output.dtype)
    arrays = (grad_output, contiguous(weight), grad_x)
    _run("local_backward_input", arrays, (), input_shape, grad_output, window)
    return grad_x


@implements(
    locally_connected2d_backward_weight, "direct", "one thread per weight sums over images", fits=floating
)
def locally_connected2d_backward_weight_direct(grad_output: Array, x: Array, window: Window) -> Array:
    """One thread adds everything up in order."""
    grad_output, x = contiguous(grad_output), contiguous(x)
    shape = (*grad_output.shape[2:], grad_output.shape[1], x.shape[1], *window.kernel)
    grad_weight: Array = empty_beside(x, shape, x.dtype)
    arrays = (grad_output, x, grad_weight)
    _run("local_backward_weight", arrays, (x.shape[0],), x.shape, grad_output, window)
    return grad_weight


@implements(locally_connected2d_backward_bias, "reduction", "the reduction over images", fits=floating)
def locally_connected2d_backward_bias_reduction(grad_output: Array) -> Array:
    """db[o, i, j] = sum_n dy[n, o, i, j]."""
    return reduce_sum(grad_output, 0)
