"""Transposed convolution on the GPU: the convolution's direct kernels with input and output exchanged.

What a convolution would call its input is the output here, so that the window lies on y: the forward is the
convolution's input gradient, the input gradient its forward, and the weight gradient its own, with x for dy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.conv2d.gpu import SOURCE, conv2d_backward_bias_rows
from kernels.conv_transpose2d import (
    conv_transpose2d_backward_bias,
    conv_transpose2d_backward_input,
    conv_transpose2d_backward_weight,
    conv_transpose2d_forward,
)
from kernels.cuda.activations import activation_number
from kernels.cuda.half import storage_macros
from kernels.cuda.launch import contiguous, empty_beside, floating
from kernels.cuda.window import window_arguments
from kernels.elementwise import add
from kernels.registry import implements
from kernels.window import Pair, Window


def _run(
    kernel: str,
    arrays: Sequence[Any],
    counts: Sequence[int],
    shapes: tuple[Sequence[int], Sequence[int]],
    window: Window,
    groups: int,
    *more: np.generic,
) -> None:
    """Run a kernel of conv2d.cu over the elements of the last array; shapes are those of x and y."""
    x_shape, y_shape = shapes
    arguments = (
        *arrays,
        *map(np.int64, (arrays[-1].size, *counts)),
        *window_arguments(window, y_shape[2:], x_shape[2:]),
        *map(np.int64, (y_shape[1], x_shape[1], groups)),
        *more,
    )
    SOURCE.launch_each(kernel, arrays[-1].size, arguments, storage_macros(arrays[-1].dtype))


@implements(
    conv_transpose2d_forward, "direct", "one thread per output gathers from the inputs", fits=floating
)
def conv_transpose2d_forward_direct(
    x: Array, weight: Array, bias: Array | None, window: Window, groups: int, output_padding: Pair
) -> Array:
    """No two threads write to one element, so no atomics are needed."""
    x = contiguous(x)
    size = window.transposed_output_size(x.shape[2:], output_padding)
    y: Array = empty_beside(x, (x.shape[0], groups * weight.shape[1], *size), x.dtype)
    _run("direct_backward_input", (x, contiguous(weight), y), (), (x.shape, y.shape), window, groups)
    return y if bias is None else add(y, bias.reshape(1, bias.shape[0], 1, 1))


@implements(
    conv_transpose2d_backward_input, "direct", "one thread per input walks over its patch", fits=floating
)
def conv_transpose2d_backward_input_direct(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> Array:
    """Every thread reads its patch and its filter from global memory."""
    grad_output = contiguous(grad_output)
    grad_x: Array = empty_beside(grad_output, input_shape, grad_output.dtype)
    arrays = (grad_output, contiguous(weight), None, grad_x)
    shapes = (input_shape, grad_output.shape)
    _run("direct_forward", arrays, (), shapes, window, groups, activation_number(None))
    return grad_x


@implements(
    conv_transpose2d_backward_weight,
    "direct",
    "one thread per weight sums over images and positions",
    fits=floating,
)
def conv_transpose2d_backward_weight_direct(
    grad_output: Array, x: Array, window: Window, groups: int
) -> Array:
    """One thread adds everything up in order."""
    grad_output, x = contiguous(grad_output), contiguous(x)
    shape = (x.shape[1], grad_output.shape[1] // groups, *window.kernel)
    grad_weight: Array = empty_beside(x, shape, x.dtype)
    shapes = (x.shape, grad_output.shape)
    _run("direct_backward_weight", (x, grad_output, grad_weight), x.shape[:1], shapes, window, groups)
    return grad_weight


# A bias is added to a plane in the same way, wherever the plane came from.
implements(
    conv_transpose2d_backward_bias,
    "rows",
    "a block per channel, whose threads combine in pairs",
    backend="gpu",
    fits=floating,
)(conv2d_backward_bias_rows)
