"""The convolution on the GPU, see conv2d.cu: a ladder of forwards, and gradients that gather.

direct          one thread per output
im2col          columns, and the library's matrix product (cuBLAS, through CuPy)
im2col_tiled    columns, and a product of our own on tiles in shared memory
implicit        in gpu_implicit.py, with the gradient of the input; gpu_implicit_weight.py, of the weight
winograd        in gpu_winograd.py
tensor cores    in gpu_tensor_cores.py, and halves
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.conv2d import (
    conv2d_backward_bias,
    conv2d_backward_input,
    conv2d_backward_weight,
)
from kernels.conv2d.gpu_implicit import announce_implicit
from kernels.conv2d.gpu_implicit_weight import announce_implicit_weight
from kernels.conv2d.gpu_tensor_cores import announce_tensor_cores
from kernels.conv2d.gpu_winograd import announce_winograd
from kernels.conv2d.versions import Forward, announce_version, pack_nothing, run_on_weight
from kernels.cuda.activations import activation_number
from kernels.cuda.half import floating_or_half, storage_macros
from kernels.cuda.launch import THREADS, Source, array_module, contiguous, empty_beside, floating
from kernels.cuda.window import window_arguments
from kernels.registry import implements
from kernels.window import Window

SOURCE = Source(__file__, "conv2d.cu")
TILE = 16
MOST_BATCHES = 65535  # of a grid's third axis


def _channels(x_channels: int, out_channels: int, groups: int) -> list[np.int64]:
    """The kernels' parameters CHANNELS."""
    return [np.int64(number) for number in (x_channels, out_channels, groups)]


def direct_forward(
    x: Array, weight: Array, bias: Array | None, window: Window, groups: int, activation: str | None
) -> Array:
    """Every thread reads its patch and its filter from global memory."""
    x, weight = contiguous(x), contiguous(weight)
    size = window.output_size(x.shape[2:])
    y: Array = empty_beside(x, (x.shape[0], weight.shape[0], *size), x.dtype)
    arguments = (
        *(x, weight, contiguous(bias), y, np.int64(y.size)),
        *window_arguments(window, x.shape[2:], size),
        *_channels(x.shape[1], weight.shape[0], groups),
        activation_number(activation),
    )
    SOURCE.launch_each("direct_forward", y.size, arguments, storage_macros(x.dtype))
    return y


def _columns(x: Any, window: Window, groups: int) -> Any:
    """Return the patches (N G, C KH KW, OH OW) as columns."""
    x = contiguous(x)
    size = window.output_size(x.shape[2:])
    taps = window.kernel[0] * window.kernel[1]
    shape = (x.shape[0] * groups, x.shape[1] // groups * taps, size[0] * size[1])
    columns = empty_beside(x, shape, x.dtype)
    arguments = (x, columns, np.int64(columns.size), *window_arguments(window, x.shape[2:], size))
    SOURCE.launch_each("im2col", columns.size, arguments, storage_macros(x.dtype))
    return columns


def _im2col(
    x: Array, weight: Array, bias: Array | None, window: Window, groups: int, activation: str | None
) -> Array:
    """The columns take KH KW times the input's memory."""
    columns = _columns(x, window, groups)  # (N G, C KH KW, OH OW)
    depth, width = columns.shape[1:]
    filters: Any = contiguous(weight).reshape(1, groups, weight.shape[0] // groups, depth)
    product = array_module(x).matmul(filters, columns.reshape(x.shape[0], groups, depth, width))
    y: Array = product.reshape(x.shape[0], weight.shape[0], *window.output_size(x.shape[2:]))
    if bias is not None or activation is not None:
        sizes = [np.int64(number) for number in (y.size, weight.shape[0], width)]
        arguments = (y, contiguous(bias), *sizes, activation_number(activation))
        SOURCE.launch_each("end_product", y.size, arguments, storage_macros(x.dtype))
    return y


def _im2col_tiled(
    x: Array, weight: Array, bias: Array | None, window: Window, groups: int, activation: str | None
) -> Array:
    """Every element of a tile is read once from global memory and used by the threads of a whole row."""
    columns = _columns(x, window, groups)  # (N G, C KH KW, OH OW)
    batches, depth, width = columns.shape
    rows = weight.shape[0] // groups
    y: Array = empty_beside(x, (x.shape[0], weight.shape[0], *window.output_size(x.shape[2:])), x.dtype)
    if not y.size:
        return y
    grid = (-(-width // TILE), -(-rows // TILE), min(batches, MOST_BATCHES))
    sizes = [np.int64(number) for number in (batches, groups, rows, depth, width)]
    arguments = (contiguous(weight), columns, contiguous(bias), y, *sizes, activation_number(activation))
    SOURCE.launch("tiled_product", grid, (TILE, TILE), arguments, storage_macros(x.dtype))
    return y


def _announce(name: str, idea: str, forward: Forward) -> None:
    announce_version(name, idea, pack_nothing, run_on_weight(forward), backend="gpu")


_announce("direct", "one thread per output walks over its patch", direct_forward)
_announce("im2col", "patches as columns, and the library's matrix product", _im2col)
_announce("im2col_tiled", "patches as columns, and a product on tiles in shared memory", _im2col_tiled)


@implements(
    conv2d_backward_input, "direct", "one thread per input element gathers its outputs", fits=floating
)
def conv2d_backward_input_direct(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> Array:
    """No two threads write to one element, so no atomics are needed."""
    grad_output, weight = contiguous(grad_output), contiguous(weight)
    grad_x: Array = empty_beside(grad_output, input_shape, grad_output.dtype)
    arguments = (
        *(grad_output, weight, grad_x, np.int64(grad_x.size)),
        *window_arguments(window, grad_x.shape[2:], grad_output.shape[2:]),
        *_channels(grad_x.shape[1], weight.shape[0], groups),
    )
    SOURCE.launch_each("direct_backward_input", grad_x.size, arguments, storage_macros(grad_output.dtype))
    return grad_x


@implements(
    conv2d_backward_weight, "direct", "one thread per weight sums over images and positions", fits=floating
)
def conv2d_backward_weight_direct(grad_output: Array, x: Array, window: Window, groups: int) -> Array:
    """One thread adds everything up in order."""
    grad_output, x = contiguous(grad_output), contiguous(x)
    shape = (grad_output.shape[1], x.shape[1] // groups, *window.kernel)
    grad_weight: Array = empty_beside(x, shape, x.dtype)
    arguments = (
        *(grad_output, x, grad_weight, np.int64(grad_weight.size), np.int64(x.shape[0])),
        *window_arguments(window, x.shape[2:], grad_output.shape[2:]),
        *_channels(x.shape[1], grad_output.shape[1], groups),
    )
    SOURCE.launch_each("direct_backward_weight", grad_weight.size, arguments, storage_macros(x.dtype))
    return grad_weight


@implements(
    conv2d_backward_bias, "rows", "a block per channel, whose threads combine in pairs", fits=floating_or_half
)
def conv2d_backward_bias_rows(grad_output: Array) -> Array:
    """The order of the sum depends on the shape only."""
    grad_output = contiguous(grad_output)
    batch, channels, height, width = grad_output.shape
    grad_bias: Array = empty_beside(grad_output, (channels,), grad_output.dtype)
    sizes = [np.int64(number) for number in (batch, channels, height * width)]
    arguments = (grad_output, grad_bias, *sizes)
    SOURCE.launch("backward_bias", (channels,), (THREADS,), arguments, storage_macros(grad_output.dtype))
    return grad_bias


announce_implicit()
announce_implicit_weight()
announce_winograd()
announce_tensor_cores()
